//! `check-config`: whether the server would start, and serve what it should.

use std::path::PathBuf;

use clap::Args;
use msp_core::SettingRow;
use serde::Serialize;

use crate::checks::{self, Check, Verdict};
use crate::context::Context;
use crate::error::AdminError;
use crate::options::GlobalOptions;
use crate::output::{self, Output};

/// Load what a start of msp-server would load, and print a line for each problem
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckConfig {
    /// Also list every setting that is in force, and where it comes from
    #[arg(long)]
    show: bool,
    /// Read this configuration of the original plugin server too, as the server does
    #[arg(long, value_name = "FILE")]
    plugins_config: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Report {
    checks: Vec<Check>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settings: Vec<SettingRow>,
}

impl CheckConfig {
    pub(crate) fn run(&self, options: &GlobalOptions) -> Result<(), AdminError> {
        let options = GlobalOptions { plugins_config: self.plugins_config.clone(), ..options.clone() };
        let mut report = Report { checks: Vec::new(), settings: Vec::new() };
        match Context::load(&options, None, None) {
            Ok(Context { settings, .. }) => {
                let (in_force, knows_doors) = checks::report(&settings, &options);
                report.checks = checks::warnings(&settings, &in_force);
                if self.show && !knows_doors {
                    report.checks.push(Check::warning("settings", DOORS_LEFT_OUT));
                }
                report.settings = if self.show { in_force.settings } else { Vec::new() };
            }
            Err(error @ AdminError::RanAsOwner(_)) => return Err(error),
            // Where they cannot be read, the server says why.
            Err(AdminError::Settings(_)) => {}
            Err(error) => report.checks.push(Check::problem("configuration", error.to_string())),
        }
        checks::add_findings(&mut report.checks, &options);
        let output = Output::new(options.json);
        output.result(&report, || report.text(output))?;
        checks::verdict(&report.checks)
    }
}

impl Report {
    fn text(&self, output: Output) -> String {
        let wanting = self.checks.iter().filter(|check| check.verdict != Verdict::Ok);
        let mut lines: Vec<_> = wanting
            .map(|check| {
                output::printable(&format!("{}: {}: {}", check.verdict.as_str(), check.name, check.detail))
            })
            .collect();
        if !self.settings.is_empty() {
            let rows = self.settings.iter().map(|setting| {
                [
                    setting.section.as_str().into(),
                    setting.key.as_str().into(),
                    setting.value.as_str().into(),
                    setting.origin.as_str().into(),
                ]
            });
            lines.insert(0, output.table(["SECTION", "KEY", "VALUE", "FROM"], rows.collect()));
        }
        if self.checks.iter().all(|check| check.verdict == Verdict::Ok) {
            lines.push("No problems".to_owned());
        }
        lines.join("\n")
    }
}

/// What is said where only this program's own settings can be listed.
const DOORS_LEFT_OUT: &str = "those of the doors are left out of the list, as msp-server does not tell them";

const EXAMPLES: &str = "\
Examples:
  msp-admin check-config
  msp-admin check-config --config /etc/msp/config.ini --show";
