//! `orderboard audit`: for people by default, one JSON document with `--json`; the exit code tells either way.

use std::io::Write as _;

use serde_json::json;

use super::CliError;
use crate::flow::{Finding, Flow, Repaired};

/// Check every invariant of orders and money on a living system
///
/// Reads one consistent picture while the system works, and names every place where something that must hold does not. It
/// changes nothing unless told to repair.
///
/// Exit codes: 0 all is well (after the repair, where one was asked for), 1 something does not hold, 2 the audit could not be
/// run (or the command line is wrong).
#[derive(clap::Args)]
pub(super) struct Args {
    /// Mend what is safe, each repair an operation of its own, and audit again; what is left is told with the reason
    #[arg(long)]
    repair: bool,
    /// Print one JSON document: {"broken","findings":[{"slug","check","violations":[{"subject","detail"}],"has_more","advice",
    /// "can_repair"}],"mended":[{"slug","subject","operation_id","before","after"}],"left":[{"slug","subject","why"}]}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(flow: &Flow, args: &Args) -> Result<(), CliError> {
    let repaired = match args.repair {
        true => flow.repair().await?,
        false => Repaired { findings: flow.audit().await?, ..Repaired::default() },
    };
    let broken = repaired.findings.iter().filter(|finding| !finding.violations.is_empty()).count();
    let mut out = std::io::stdout().lock();
    match args.json {
        true => {
            let Repaired { mended, left, findings } = &repaired;
            writeln!(out, "{}", json!({"broken": broken, "findings": findings, "mended": mended, "left": left}))?;
        }
        false => print(&mut out, &repaired)?,
    }
    match broken {
        0 => Ok(()),
        broken => Err(CliError::Violated { broken, of: repaired.findings.len() }),
    }
}

/// Whatever kept the audit from its verdict is not a verdict.
pub(super) fn not_audited(error: CliError) -> CliError {
    match error {
        verdict @ CliError::Violated { .. } => verdict,
        error => CliError::NotAudited(Box::new(error)),
    }
}

fn print(out: &mut impl std::io::Write, repaired: &Repaired) -> std::io::Result<()> {
    for mended in &repaired.mended {
        writeln!(out, "mended {}: {} -> {} ({})", mended.subject, mended.before, mended.after, mended.operation_id)?;
    }
    for finding in &repaired.findings {
        tell(out, finding, repaired)?;
    }
    Ok(())
}

fn tell(out: &mut impl std::io::Write, finding: &Finding, repaired: &Repaired) -> std::io::Result<()> {
    let verdict = if finding.violations.is_empty() { "ok  " } else { "FAIL" };
    writeln!(out, "{verdict} {}", finding.check)?;
    for violation in &finding.violations {
        writeln!(out, "       {}: {}", violation.subject, violation.detail)?;
        let left = repaired.left.iter().find(|left| left.slug == finding.slug && left.subject == violation.subject);
        if let Some(left) = left {
            writeln!(out, "         not mended: {}", left.why)?;
        }
    }
    if finding.has_more {
        writeln!(out, "       … and more")?;
    }
    if let Some(advice) = finding.advice {
        writeln!(out, "       what to do: {advice}")?;
    }
    Ok(())
}
