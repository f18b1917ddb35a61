//! Where one reply of Redis ends and the next begins, RESP2 and RESP3, in bytes that arrive in any pieces. Nothing is kept
//! of what goes by but the line that is being read: a long reply costs no more than a short one.

/// Longer lines than this are none of Redis'.
const LINE_BYTES_MAX: usize = 64 << 10;

#[derive(Default)]
pub(super) struct Scanner {
    /// Elements that are still missing, by depth.
    missing: Vec<u64>,
    /// Bytes of a text that are still to come, its line end included.
    text: usize,
    line: Vec<u8>,
}

impl Scanner {
    /// Whether the next byte begins a reply.
    pub(super) fn is_between(&self) -> bool {
        self.missing.is_empty() && self.text == 0 && self.line.is_empty()
    }

    /// How many of the bytes belong to the reply at hand, at least one, and whether it ends with the last of these; it may
    /// take several calls. Nothing when the bytes are no reply.
    pub(super) fn step(&mut self, bytes: &[u8]) -> Option<(usize, bool)> {
        if self.text > 0 {
            let taken = self.text.min(bytes.len());
            self.text -= taken;
            return Some((taken, self.text == 0 && self.has_ended()));
        }
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.line.extend(bytes);
            return (self.line.len() <= LINE_BYTES_MAX).then_some((bytes.len(), false));
        };
        self.line.extend(&bytes[..=end]);
        let line = std::mem::take(&mut self.line);
        let has_ended = match line.first()? {
            b'$' | b'=' | b'!' => match number(&line)? {
                0.. => {
                    self.text = usize::try_from(number(&line)?).ok()? + 2;
                    false
                }
                _ => self.has_ended(),
            },
            kind @ (b'*' | b'~' | b'>' | b'%') => match u64::try_from(number(&line)?) {
                Ok(count @ 1..) => {
                    self.missing.push(if *kind == b'%' { 2 * count } else { count });
                    false
                }
                _ => self.has_ended(),
            },
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => self.has_ended(),
            _ => return None,
        };
        Some((end + 1, has_ended))
    }

    /// An element is complete; so may be what it was the last of.
    fn has_ended(&mut self) -> bool {
        while let Some(missing) = self.missing.last_mut() {
            *missing -= 1;
            if *missing > 0 {
                return false;
            }
            self.missing.pop();
        }
        true
    }
}

fn number(line: &[u8]) -> Option<i64> {
    std::str::from_utf8(line.get(1..)?).ok()?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The replies in these bytes, fed so many at a time.
    fn replies(bytes: &[u8], step: usize) -> Vec<String> {
        let (mut scanner, mut found, mut own) = (Scanner::default(), Vec::new(), Vec::new());
        for mut some in bytes.chunks(step) {
            while !some.is_empty() {
                let (taken, has_ended) = scanner.step(some).expect("a reply");
                own.extend(&some[..taken]);
                some = &some[taken..];
                assert_eq!(has_ended, scanner.is_between());
                if has_ended {
                    found.push(String::from_utf8(std::mem::take(&mut own)).expect("text"));
                }
            }
        }
        assert!(own.is_empty(), "the last reply has ended");
        found
    }

    #[test]
    fn replies_are_told_apart_however_their_bytes_arrive() {
        let expected = [
            "+OK\r\n",
            "*2\r\n$3\r\na\r\n\r\n*1\r\n:7\r\n",
            ">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\n\r\n\r\n",
            "$-1\r\n",
            "*0\r\n",
            "%2\r\n+a\r\n:1\r\n+b\r\n*2\r\n_\r\n#t\r\n",
            "*-1\r\n",
            "-ERR no\r\n",
            "$0\r\n\r\n",
        ];
        let bytes = expected.concat();
        for step in [1, 2, 3, 7, bytes.len()] {
            assert_eq!(replies(bytes.as_bytes(), step), expected, "{step} bytes at a time");
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for bad in ["HTTP/1.1 200 OK\r\n", "$x\r\n"] {
            assert!(Scanner::default().step(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
