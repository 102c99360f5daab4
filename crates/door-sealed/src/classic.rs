//! The classic shape: four values, each a NaCl box of its own.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::StatusCode;
use msp_core::{Access, Input, Output, Standing};
use msp_protocol::classic::{self, Request};
use msp_protocol::{DecodeError, FunctionName, OsRng};
use serde_json::Value;

use crate::clients::Entry;
use crate::proof::{Claim, Refused};
use crate::reason::Reason;
use crate::replies::{ClassicReplies, is_failure_of_the_function};
use crate::tick::LEAST;
use crate::{Incoming, Outcome, Sealed};

pub(crate) async fn answer(door: &Sealed, incoming: &Incoming, request: Request) -> Outcome {
    let nonces = request.nonces();
    if door.reply_tag.marks_any(&nonces) {
        door.refuse_stranger(incoming, &Reason::OwnAnswer).await;
        return Outcome::Refused;
    }
    if request.holds_a_nonce_twice() {
        door.refuse_stranger(incoming, &Reason::NonceTwice).await;
        return Outcome::Refused;
    }
    let (request, entry) = match find(door, incoming, request).await {
        Ok(found) => found,
        Err(reason) => {
            door.refuse_stranger(incoming, &reason).await;
            return Outcome::Refused;
        }
    };
    let opened = match request.open(entry.box_key(&door.key)) {
        Ok(opened) => opened,
        Err(error) => {
            door.refuse_malformed(incoming, error).await;
            return Outcome::Refused;
        }
    };
    let claim = Claim { entry, secret: opened.secret, ts: opened.ts, items: nonces.to_vec() };
    let reason = match door.prove(incoming, &claim, &door.clients.load_full()).await {
        Ok(()) => return run(door, incoming, &claim.entry, &opened.entry).await,
        Err(Refused::Unproven(reason)) => {
            door.note_failure(incoming).await;
            reason
        }
        Err(Refused::Skewed { reason, .. } | Refused::Limited(reason) | Refused::Closed(_, reason)) => reason,
    };
    door.refuse(incoming, Some(&claim.entry), "401", &reason);
    Outcome::Refused
}

/// Runs the function for a client that has proved itself.
async fn run(door: &Sealed, incoming: &Incoming, client: &Entry, function: &FunctionName) -> Outcome {
    // The four values can be recombined by a watcher within their time.
    let caller = incoming.caller(client, Access::Read);
    let replies = ClassicReplies { longest: incoming.settings.limits.answer };
    match door.calls.call(&caller, function, Input::default(), &replies).await {
        Ok(Output::Value(Value::String(text))) => {
            let key = client.box_key(&door.key);
            let reply = classic::seal_reply(key, &door.reply_tag, &text, &mut OsRng);
            Outcome::Answer(StatusCode::OK, reply)
        }
        Err(refusal) if !is_failure_of_the_function(&refusal) => Outcome::Refused,
        Ok(_) | Err(_) => Outcome::Failed,
    }
}

/// True when no key at all would be tried for this address.
pub(crate) async fn is_shut_out(door: &Sealed, address: IpAddr) -> bool {
    door.guard.failures.standing(address).await != Standing::Free
        && door.guard.sightings.seen_from(address).await.is_empty()
}

/// Finds the client whose key opens the request: first those lately seen from the address, then all.
async fn find(door: &Sealed, incoming: &Incoming, request: Request) -> Result<(Request, Arc<Entry>), Reason> {
    let address = incoming.peer.address;
    let recent = door.guard.sightings.seen_from(address).await;
    let directory = door.clients.load();
    let known = recent
        .iter()
        .filter_map(|digest| directory.by_digest(digest))
        .find(|entry| entry.record.classic && request.opens_with(entry.box_key(&door.key)));
    if let Some(entry) = known {
        return Ok((request, entry.clone()));
    }
    drop(directory);
    match door.guard.failures.standing(address).await {
        Standing::Free => {}
        Standing::Slowed(_) | Standing::Banned(_) => return Err(Reason::Slowed),
    }
    if !request.may_open() {
        return Err(Reason::Malformed(DecodeError::Size));
    }
    let Ok(found) = door.search.find(request).await else { return Err(Reason::SearchQueueFull) };
    // Only a search that takes longer than any refusal is held moves the refusal, and then for every key alike.
    incoming.since.set(incoming.since.get().max(found.all_tried.saturating_sub(LEAST)));
    match found.entry {
        Some(entry) => Ok((*found.request, entry)),
        None => Err(Reason::Stranger),
    }
}
