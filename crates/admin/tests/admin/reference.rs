//! The whole command reference, a snapshot for each command, and what else is made from the definitions.

use crate::harness::WorkingFolder;

#[test]
fn the_command_reference() {
    for mut program in msp_admin::definitions() {
        program.build();
        insta::assert_snapshot!(program.get_name(), help(&program));
        for command in program.get_subcommands() {
            let mut text = String::new();
            describe(command, &mut text);
            insta::assert_snapshot!(format!("msp-admin-{}", command.get_name()), text);
        }
    }
}

fn describe(command: &clap::Command, text: &mut String) {
    text.push_str(&help(command));
    for subcommand in command.get_subcommands() {
        describe(subcommand, text);
    }
}

fn help(command: &clap::Command) -> String {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let help = command.clone().term_width(100).render_long_help().to_string();
    format!("===== {name} =====\n{}\n\n", help.trim_end())
}

#[test]
fn every_command_has_examples_and_a_manual_page() {
    let folder = WorkingFolder::empty();
    std::fs::create_dir(folder.path("man")).unwrap();
    assert_eq!(folder.run("msp-admin man --dir man").code, 0);
    for mut command in msp_admin::definitions() {
        command.build();
        hold(&folder, &command, command.get_name());
    }
}

fn hold(folder: &WorkingFolder, command: &clap::Command, name: &str) {
    let page = std::fs::read_to_string(folder.path(&format!("man/{name}.1"))).unwrap_or_default();
    assert!(page.contains(".SH NAME"), "{name}");
    let leaves = command.get_subcommands().collect::<Vec<_>>();
    for subcommand in &leaves {
        hold(folder, subcommand, &format!("{name}-{}", subcommand.get_name()));
    }
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let simple = matches!(name, "msp-admin-bans-list" | "msp-admin-bans-lift" | "msp-admin-floor-show");
    assert!(examples.starts_with("Examples:\n") || !leaves.is_empty() || simple, "{name} has no examples");
}

#[test]
fn each_shell_gets_a_completion_for_each_program() {
    let folder = WorkingFolder::empty();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        for program in ["msp-admin", "gen_key", "appendclient", "purgeclients"] {
            let outcome = folder.run(&format!("msp-admin completions {shell} --program {program}"));
            assert_eq!(outcome.code, 0);
            assert!(outcome.stdout.contains(program), "{shell} {program}");
        }
    }
}
