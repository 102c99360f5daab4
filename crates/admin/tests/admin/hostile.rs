//! Root's commands in the folder of a user who lays traps there.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc;
use std::time::Duration;

use msp_protocol::{OsRng, PrivateKey, Secret};
use rustix::fs::{CWD, FileType, Mode};

use crate::harness::{Outcome, WorkingFolder};

/// A user that no machine has.
const USER: u32 = 54_321;

/// Where root's files are, and `home`, where the user may do everything.
struct Trap {
    folder: WorkingFolder,
    secret: String,
}

impl Trap {
    pub(crate) fn new() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "what root does in another user's folder can only be tested as root; to leave such tests out: \
             cargo nextest run --workspace -E 'not test(as_root)'"
        );
        let folder = WorkingFolder::empty();
        let secret = Secret::generate(&mut OsRng).dangerously_as_str().to_owned();
        let trap = Self { folder, secret };
        std::fs::set_permissions(trap.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["roots", "roots/empty", "roots/old", "home"] {
            std::fs::create_dir(trap.path(folder)).unwrap();
        }
        std::fs::set_permissions(trap.path("roots"), std::fs::Permissions::from_mode(0o700)).unwrap();
        let sec = trap.path("home/sec").display().to_string();
        trap.roots("config.ini", &format!(
            "[Server]\nKeypath={sec}\n[Clients]\nKeypath={sec}\nRegister={sec}/clients.dev\n[Registry]\nUrl=sqlite:{sec}/registry.db\n"
        ));
        trap.roots("modules.ini", "[Modules]\n");
        trap.roots("secrets", &format!("{}\n", trap.secret));
        trap.roots("key", "root's own\n");
        trap.roots("nothing", "");
        let old = PrivateKey::generate(&mut OsRng);
        trap.roots("old/client_1.pub", &old.public().to_string());
        trap.roots("old/clients.dev", &format!("{}\n", Secret::generate(&mut OsRng).dangerously_as_str()));
        msp_keyfile::create_server_keys(&trap.path("home/sec"), &PrivateKey::generate(&mut OsRng)).unwrap();
        trap.give_home();
        trap
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    fn roots(&self, name: &str, text: &str) {
        self.folder.write(&format!("roots/{name}"), text);
        std::fs::set_permissions(self.path("roots").join(name), std::fs::Permissions::from_mode(0o600))
            .unwrap();
    }

    /// Makes everything in `home` the user's.
    fn give_home(&self) {
        for (path, _) in seen(&self.path("home")) {
            std::os::unix::fs::lchown(&path, Some(USER), Some(USER)).unwrap();
        }
        chown(self.path("home"), Some(USER), Some(USER)).unwrap();
    }

    /// Puts a link in the user's key folder.
    fn link(&self, name: &str, to: &str) {
        let link = self.path("home/sec").join(name);
        let _none = std::fs::remove_file(&link);
        symlink(self.path(to), &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(USER), Some(USER)).unwrap();
    }

    fn pipe(&self, name: &str) {
        let path = self.path("home/sec").join(name);
        let _none = std::fs::remove_file(&path);
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        chown(&path, Some(USER), Some(USER)).unwrap();
    }

    /// Runs a command with root's configuration; one that hangs fails the test.
    fn run(&self, line: &str) -> Outcome {
        ended(self.spawn(line), line)
    }

    fn spawn(&self, line: &str) -> Child {
        let line = line.replace("ROOTS", &self.path("roots").display().to_string());
        let line = line.replace("HOME", &self.path("home").display().to_string());
        let mut command = self.folder.command(&line);
        command.env("MSP_CONFIG_PATH", self.path("roots/config.ini"));
        command.env("MSP_MODCONF_PATH", self.path("roots/modules.ini"));
        let mut child = command.spawn().unwrap();
        drop(child.stdin.take());
        child
    }

    fn ok(&self, line: &str) -> Outcome {
        let outcome = self.run(line);
        assert_eq!(outcome.code, 0, "{line}: {outcome:?}");
        outcome
    }
}

fn ended(child: Child, line: &str) -> Outcome {
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(Outcome::of(child)));
    receiver.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| {
        let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        panic!("{line}: it hangs")
    })
}

/// What would tell of any change: kind, mode, owner and content of everything in a folder.
fn seen(folder: &Path) -> BTreeMap<PathBuf, (u32, u32, Vec<u8>)> {
    let mut all = BTreeMap::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let found = path.symlink_metadata().unwrap();
        let content = if found.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        all.insert(path.clone(), (found.mode(), found.uid(), content));
        if found.is_dir() {
            all.extend(seen(&path));
        }
    }
    all
}

/// Every command that works in the folders of the configuration.
const COMMANDS: &[&str] = &[
    "purgeclients --yes",
    "msp-admin client purge --yes",
    "appendclient iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q=",
    "msp-admin client add iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q= --name laptop",
    "msp-admin client list",
    "msp-admin client rotate laptop",
    "msp-admin client revoke --secret-file ROOTS/secrets",
    "msp-admin apikey add monitoring",
    "msp-admin apikey revoke monitoring --yes",
    "msp-admin audit",
    "msp-admin floor show",
    "msp-admin floor reset --yes",
    "msp-admin import",
    "msp-admin import --keys ROOTS/old --register ROOTS/old/clients.dev",
    "msp-admin backup HOME/copy",
    "msp-admin backup HOME/sec/copy",
    "msp-admin restore HOME/sec/client_1.pub --yes",
    "msp-admin bans",
    "msp-admin why",
    "msp-admin check-config",
    "msp-admin doctor",
    "gen_key pair HOME/sec/server --force",
    "gen_key public HOME/sec/server",
    "gen_key private HOME/sec/new",
    "msp-admin man --dir HOME/sec",
];

/// Lays one trap for each command, and sees that nothing of root's changes or gets into the user's hands.
fn nothing_happens_to_root(lay: impl Fn(&Trap)) {
    for line in COMMANDS {
        let trap = Trap::new();
        lay(&trap);
        let before = seen(&trap.path("roots"));
        let outcome = trap.run(line);
        assert_eq!(seen(&trap.path("roots")), before, "{line}: {outcome:?}");
        let holds =
            |content: &[u8]| content.windows(trap.secret.len()).any(|part| part == trap.secret.as_bytes());
        for (path, (_, owner, content)) in seen(&trap.path("home")) {
            assert!(!holds(&content), "{line}: {} holds root's secret", path.display());
            assert_eq!(owner, USER, "{line}: {} is root's", path.display());
        }
        let told = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!told.contains(&trap.secret) && !told.contains("panicked"), "{line}: {told}");
    }
}

#[test]
fn as_root_a_linked_register_and_linked_client_files_are_neither_read_nor_written() {
    nothing_happens_to_root(|trap| {
        trap.link("clients.dev", "roots/secrets");
        trap.link("client_1.pub", "roots/secrets");
        trap.link("client_2.pub", "roots/nothing");
    });
}

#[test]
fn as_root_a_link_where_the_purged_files_would_go_is_not_followed() {
    nothing_happens_to_root(|trap| {
        trap.folder.write("home/sec/clients.dev", "0\n");
        trap.folder.write("home/sec/client_1.pub", "nothing");
        trap.give_home();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        for second in now..now + 60 {
            let stamp = chrono::DateTime::from_timestamp(i64::try_from(second).unwrap(), 0).unwrap();
            trap.link(&format!("purged-{}", stamp.format("%Y%m%dT%H%M%SZ")), "roots/empty");
        }
    });
}

#[test]
fn as_root_a_linked_registry_and_links_beside_it_are_refused() {
    for name in
        ["registry.db", "registry.db.migrating", "registry.db.lock", "registry.db-wal", "registry.db-shm"]
    {
        nothing_happens_to_root(|trap| {
            if name != "registry.db" {
                trap.ok("msp-admin apikey add first");
            }
            trap.link(name, if name == "registry.db" { "roots/nothing" } else { "roots/key" });
        });
    }
}

#[test]
fn as_root_a_linked_folder_is_not_entered() {
    nothing_happens_to_root(|trap| {
        std::fs::rename(trap.path("home/sec"), trap.path("home/was")).unwrap();
        symlink(trap.path("roots"), trap.path("home/sec")).unwrap();
        std::os::unix::fs::lchown(trap.path("home/sec"), Some(USER), Some(USER)).unwrap();
    });
}

#[test]
fn as_root_linked_keys_sockets_and_man_pages_reach_nothing_of_roots() {
    nothing_happens_to_root(|trap| {
        for name in ["server.key", "server.pub", "new.key", "control.sock", "msp-admin.1", "copy"] {
            trap.link(name, "roots/key");
        }
        trap.link("../copy", "roots/nothing");
    });
}

#[test]
fn as_root_named_pipes_hang_no_command() {
    for names in [
        &["registry.db", "clients.dev", "client_1.pub", "control.sock", "copy"][..],
        &["server.key", "server.pub", "registry.db.migrating", "registry.db.lock"],
    ] {
        nothing_happens_to_root(|trap| names.iter().for_each(|name| trap.pipe(name)));
    }
}

#[test]
fn as_root_what_a_command_makes_is_the_folders_owners_and_what_root_names_stays_roots() {
    let trap = Trap::new();
    let added = trap.ok("appendclient iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q=");
    trap.roots("given", &added.secret());
    trap.ok("msp-admin apikey add monitoring");
    let imported = trap.ok("msp-admin import --keys ROOTS/old --register ROOTS/old/clients.dev");
    assert_eq!(imported.stdout, "Imported 1 keys and 1 secrets; skipped 0\n");
    trap.ok("msp-admin backup ROOTS/copy");
    let copy = trap.path("roots/copy").metadata().unwrap();
    assert_eq!((copy.uid(), copy.mode() & 0o777), (0, 0o600));
    trap.ok("msp-admin client revoke --secret-file ROOTS/given");
    let restored = trap.ok("msp-admin restore ROOTS/copy --yes --json");
    let restored: serde_json::Value = serde_json::from_str(&restored.stdout).unwrap();
    assert_eq!((&restored["clients"], &restored["api_keys"]), (&2.into(), &1.into()), "{restored}");
    trap.ok("purgeclients --yes");
    for (path, (mode, owner, _)) in seen(&trap.path("home")) {
        assert_eq!((owner, mode & 0o077), (USER, 0), "{}", path.display());
    }
    let audit = trap.ok("msp-admin audit --json");
    let audit: serde_json::Value = serde_json::from_str(&audit.stdout).unwrap();
    for row in audit.as_array().unwrap() {
        let actor = row["actor"].as_str().unwrap();
        assert!(actor == "admin:root" || row["action"] == "client.import", "{row}");
    }
}

#[test]
fn as_root_a_backup_that_fails_leaves_no_file_and_folders_of_two_users_are_told() {
    let trap = Trap::new();
    assert_eq!(trap.run("msp-admin backup ROOTS/copy").code, 1);
    assert!(!trap.path("roots/copy").exists());
    std::fs::create_dir(trap.path("home/other")).unwrap();
    chown(trap.path("home/other"), Some(USER + 1), None).unwrap();
    let (sec, other) = (trap.path("home/sec"), trap.path("home/other"));
    let text = format!("[Server]\nKeypath={}\n[Clients]\nKeypath={}\n", sec.display(), other.display());
    trap.roots("config.ini", &text);
    let outcome = trap.run("msp-admin client list");
    let told = format!(
        "error: {} belongs to uid {USER}, {} to uid {}: run this command as the server's user\n",
        sec.display(),
        other.display(),
        USER + 1
    );
    assert_eq!((outcome.code, outcome.stderr), (1, told));
}

#[test]
fn as_root_a_link_that_only_root_can_change_is_followed() {
    let trap = Trap::new();
    // As systemd keeps the folder of a dynamic user: /var/lib/NAME -> private/NAME.
    let state = tempfile::tempdir_in("/var/lib").unwrap();
    std::fs::create_dir(state.path().join("private")).unwrap();
    let sec = state.path().join("private/sec");
    msp_keyfile::create_server_keys(&sec, &PrivateKey::generate(&mut OsRng)).unwrap();
    for path in [sec.clone(), sec.join("server.key"), sec.join("server.pub")] {
        chown(path, Some(USER), Some(USER)).unwrap();
    }
    std::fs::set_permissions(state.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    symlink("private/sec", state.path().join("sec")).unwrap();
    let linked = state.path().join("sec").display().to_string();
    trap.roots("config.ini", &format!("[Server]\nKeypath={linked}\n[Clients]\nKeypath={linked}\nRegister={linked}/clients.dev\n[Registry]\nUrl=sqlite:{linked}/registry.db\n"));
    trap.ok("msp-admin apikey add monitoring");
    assert_eq!(sec.join("registry.db").metadata().unwrap().uid(), USER);
}
