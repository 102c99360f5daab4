use msp_core::{Grants, Linked};
use msp_protocol::{OsRng, PublicKey, RngCore as _};

use super::*;

fn client(key: PublicKey, name: Option<&str>, secret: u8, classic: bool) -> ClientRecord {
    let link = match name {
        Some(name) => Link::Linked(Linked {
            name: name.parse().unwrap(),
            secret: Digest::of(&[secret]),
            previous: None,
            added: 1,
            last_used: None,
        }),
        None => Link::Unlinked,
    };
    ClientRecord { key, link, grants: Grants::Standard, expires: None, disabled: false, classic }
}

/// All that a picture says, in an order of its own.
fn told(directory: &Directory) -> (Vec<Digest>, Vec<Digest>, Vec<Digest>, usize) {
    let sorted = |mut digests: Vec<Digest>| {
        digests.sort_by_key(|digest| *digest.as_bytes());
        digests
    };
    let classic = directory.classic.iter().map(|entry| entry.digest).collect();
    (
        sorted(directory.clients.values().map(|entry| entry.digest).collect()),
        sorted(classic),
        sorted(directory.unlinked_secrets.iter().copied().collect()),
        directory.linked_secrets.len(),
    )
}

#[test]
fn a_picture_that_was_changed_is_the_one_that_would_be_built_anew() {
    let keys: Vec<_> = (0..8).map(|_| *PrivateKey::generate(&mut OsRng).public()).collect();
    let (clients, mut linked, mut unlinked) = (Clients::default(), Vec::<ClientRecord>::new(), Vec::new());
    for _ in 0..500 {
        let dice = OsRng.next_u32();
        let (at, secret) = (dice as usize % keys.len(), (dice >> 8) as u8 % 4);
        let (key, name) = (keys[at], format!("client-{at}"));
        if dice >> 30 == 0 {
            // Unlinked keys come and go in a range of their own.
            let present = unlinked.iter().position(|client: &ClientRecord| client.key == key);
            match present {
                Some(place) => drop(unlinked.remove(place)),
                None if !linked.iter().any(|client| client.key == key) => {
                    unlinked.push(client(key, None, 0, true));
                }
                None => continue,
            }
            let is_new = |client: &&ClientRecord| !clients.knows(&client.key.digest());
            let change = UnlinkedChange {
                keys: unlinked.iter().map(|client| client.key.digest()).collect(),
                new: unlinked.iter().filter(is_new).cloned().collect(),
                secrets: vec![Digest::of(&[secret])],
            };
            clients.change(&[], Some(change));
            assert_eq!(clients.load().unlinked_secrets.len(), 1);
        } else {
            linked.retain(|client| client.key != key);
            if unlinked.iter().any(|client| client.key == key) {
                continue;
            }
            let added = (dice >> 29 & 1 == 1).then(|| client(key, Some(&name), at as u8, secret == 1));
            linked.extend(added.clone());
            clients.change(&[(key.digest(), added.map(Principal::Client))], None);
        }
        let secrets: Vec<_> =
            clients.load().unlinked_secrets.iter().map(|digest| SecretRecord { digest: *digest }).collect();
        let all = linked.iter().chain(&unlinked).cloned().collect();
        let anew = Directory::of(all, &secrets, &Directory::default());
        assert_eq!(told(&clients.load()), told(&anew));
        assert_eq!(clients.count(), linked.len() + unlinked.len());
    }
}

#[test]
fn a_change_keeps_what_was_derived_for_those_whom_it_does_not_touch() {
    let server = PrivateKey::generate(&mut OsRng);
    let [stays, changes] = [(); 2].map(|()| *PrivateKey::generate(&mut OsRng).public());
    let clients = Clients::default();
    clients.take_up(vec![client(stays, Some("a"), 1, false), client(changes, Some("b"), 2, true)], &[]);
    let before = clients.load_full();
    for key in [&stays, &changes] {
        before.by_digest(&key.digest()).unwrap().box_key(&server);
    }
    let mut changed = client(changes, Some("b"), 2, true);
    changed.disabled = true;
    clients.change(&[(changes.digest(), Some(Principal::Client(changed)))], None);
    let after = clients.load_full();
    let entry = |directory: &Directory, key: &PublicKey| directory.by_digest(&key.digest()).unwrap().clone();
    assert!(Arc::ptr_eq(&entry(&before, &stays), &entry(&after, &stays)));
    assert!(entry(&after, &changes).derived_box_key().is_some() && entry(&after, &changes).record.disabled);
    assert!(!entry(&before, &changes).record.disabled, "who holds the old picture sees no other");
    clients.change(&[(stays.digest(), None)], None);
    assert!(Arc::ptr_eq(clients.load().classic(), after.classic()), "no search has to begin anew for it");
}
