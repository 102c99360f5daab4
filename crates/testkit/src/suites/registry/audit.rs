//! What was done to the server, in order.

use std::time::Duration;

use msp_core::{AuditEvent, AuditRow};

use super::{NOW, RegistryStand, generation};

pub async fn the_newest_lines_come_first_and_no_more_than_asked_for<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let before = generation(registry).await;
    for subject in ["first", "second", ""] {
        let (actor, detail) = ("admin:kim".to_owned(), "for people: 'quoted', ü, \u{1f511}".to_owned());
        let event = AuditEvent { actor, action: "floor.reset", subject: subject.to_owned(), detail };
        registry.record(event).await.unwrap();
        stand.clock().advance(Duration::from_secs(1));
    }
    let rows = stand.opened_again().await.audit_rows(2).await.unwrap();
    let expected = [("", NOW + 2), ("second", NOW + 1)].map(|(subject, at)| AuditRow {
        at,
        actor: "admin:kim".to_owned(),
        action: "floor.reset".to_owned(),
        subject: subject.to_owned(),
        detail: "for people: 'quoted', ü, \u{1f511}".to_owned(),
    });
    assert_eq!(rows, expected);
    assert_eq!(registry.audit_rows(0).await.unwrap(), []);
    assert_eq!(registry.audit_rows(usize::MAX).await.unwrap().len(), 3);
    assert_eq!(generation(registry).await, before, "no server has to read anything again");
}
