//! The directories of one embedded pair. For `embedded` only.
//!
//! Sockets get a directory of their own because MariaDB makes its socket open to everybody: the directory's
//! mode (0700) is what keeps others out, and root needs no password behind it.
//! Never here: a file's contents, a process.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::error::EmbeddedError;

/// The kernel's limit for a socket's path is 107 bytes on Linux and 103 on macOS.
const SOCKET_PATH_BYTES_MAX: usize = 100;
const LONGEST_SOCKET_NAME: &str = "mariadb.sock";

/// Absolute and existing directories.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) data: PathBuf,
    pub(super) run: PathBuf,
    pub(super) log: PathBuf,
    pub(super) sockets: PathBuf,
}

impl Place {
    pub(super) fn open(data: &Path) -> Result<Self, EmbeddedError> {
        let data = private_dir(data)?;
        let run = private_dir(&data.join("run"))?;
        let log = private_dir(&data.join("log"))?;
        let sockets = socket_dir(&data, &run)?;
        Ok(Self { data, run, log, sockets })
    }

    /// Takes away the directory in the temp directory, if there is one and no socket is left in it.
    pub(super) fn forget_sockets(sockets: &Path) {
        if sockets.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"orderboard-")) {
            let _ = fs::remove_dir(sockets);
        }
    }
}

/// Makes `path` for this user alone unless it exists, and returns it absolute.
pub(super) fn private_dir(path: &Path) -> Result<PathBuf, EmbeddedError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| path.canonicalize())
        .map_err(|source| directory(path, source))
}

/// `data/run`, or a short directory under the temp directory when a socket there could not be named: too long,
/// or with a character that a url would have to escape (fred takes the path of its url as it stands).
fn socket_dir(data: &Path, run: &Path) -> Result<PathBuf, EmbeddedError> {
    if fits(run) {
        return Ok(run.to_owned());
    }
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    let user = rustix::process::geteuid();
    let name = format!("orderboard-{}-{:016x}", user.as_raw(), hasher.finish());
    let temp = Some(env::temp_dir()).filter(|temp| fits(&temp.join(&name)));
    let path = temp.unwrap_or_else(|| PathBuf::from("/tmp")).join(name);

    // The name can be guessed, and the temp directory is everybody's: take only a directory that is ours alone.
    match fs::DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(directory(&path, error)),
        _ => {}
    }
    let found = fs::symlink_metadata(&path).map_err(|source| directory(&path, source))?;
    let private = found.is_dir() && found.uid() == user.as_raw() && found.permissions().mode() & 0o077 == 0;
    if private { Ok(path) } else { Err(EmbeddedError::NotPrivate { path }) }
}

fn fits(dir: &Path) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    let socket = dir.join(LONGEST_SOCKET_NAME);
    socket.is_absolute()
        && socket.as_os_str().len() <= SOCKET_PATH_BYTES_MAX
        && socket.as_os_str().as_encoded_bytes().iter().copied().all(plain)
}

pub(super) fn directory(path: &Path, source: io::Error) -> EmbeddedError {
    EmbeddedError::Directory { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_directory_must_be_short_and_need_no_escaping() {
        assert!(fits(Path::new("/srv/orderboard/data/run")));
        assert!(!fits(Path::new("/srv/order board/data/run")));
        assert!(!fits(Path::new("/srv/доска/data/run")));
        assert!(!fits(&Path::new("/").join("a".repeat(90))));
    }
}
