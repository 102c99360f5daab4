//! The machine's users: names, and the groups of somebody whom root becomes.

use std::path::Path;

use rustix::process::Gid;

/// The groups of a user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    pub(crate) own: Gid,
    pub(crate) others: Vec<Gid>,
}

/// The name of a user in passwd(5), if it has one there.
fn name(uid: u32) -> Option<String> {
    user(&read("/etc/passwd"), uid).map(|(name, _)| name.to_owned())
}

/// This process's user as the audit has it: `admin:` and the user's name, or number.
pub(crate) fn actor() -> String {
    let uid = rustix::process::getuid().as_raw();
    name(uid).map_or_else(|| format!("admin:{uid}"), |name| format!("admin:{name}"))
}

/// The groups of a user; one that passwd(5) does not know, such as systemd's dynamic ones, has that of its folder.
pub(crate) fn groups(uid: u32, folder_gid: u32) -> Groups {
    groups_of(&read("/etc/passwd"), &read("/etc/group"), uid, folder_gid)
}

fn groups_of(users: &str, groups: &str, uid: u32, folder_gid: u32) -> Groups {
    let Some((name, gid)) = user(users, uid) else {
        // Root's group in an unknown user's folder says who made the folder, and not whose group it is.
        let own = if folder_gid == 0 { uid } else { folder_gid };
        return Groups { own: Gid::from_raw(own), others: Vec::new() };
    };
    let group = |line: &str| {
        let mut fields = line.split(':');
        let gid = fields.nth(2)?.parse().ok()?;
        fields.next()?.split(',').any(|member| member == name).then(|| Gid::from_raw(gid))
    };
    Groups { own: Gid::from_raw(gid), others: groups.lines().filter_map(group).collect() }
}

/// Name and group of a uid in the lines of passwd(5).
fn user(users: &str, uid: u32) -> Option<(&str, u32)> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let (_, found, gid) = (fields.next()?, fields.next()?, fields.next()?);
        (found.parse() == Ok(uid)).then_some((name, gid.parse().ok()?))
    })
}

fn read(file: &str) -> String {
    msp_keyfile::read_text(Path::new(file), MAX_BYTES).map(|text| text.to_string()).unwrap_or_default()
}

/// More than any list of local users, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/bash\nbroken\n\nmsp:x:1000:100::/app:/bin/sh\n";

    #[test]
    fn a_user_is_named_as_in_passwd() {
        assert_eq!(user(USERS, 0), Some(("root", 0)));
        assert_eq!(user(USERS, 1000), Some(("msp", 100)));
        assert_eq!(user(USERS, 100), None);
    }

    #[test]
    fn a_user_has_its_groups_and_one_that_is_not_listed_that_of_its_folder_but_never_roots() {
        let groups =
            "root:x:0:\nusers:x:100:\nssl-cert:x:110:kim,msp\nmspx:x:111:mspx\nbroken\nempty:x:1:msp";
        let gids = |gids: &[u32]| gids.iter().copied().map(Gid::from_raw).collect::<Vec<_>>();
        let of = |uid, folder| {
            let Groups { own, others } = groups_of(USERS, groups, uid, folder);
            (own.as_raw(), others)
        };
        assert_eq!(of(1000, 5), (100, gids(&[110, 1])));
        assert_eq!(of(61_184, 61_185), (61_185, gids(&[])));
        assert_eq!(of(61_184, 0), (61_184, gids(&[])));
    }
}
