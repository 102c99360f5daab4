//! The classic shape: four values, each a NaCl box of its own.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::StatusCode;
use msp_core::{Guard as _, Reason, Shape, Standing};
use msp_protocol::classic::{self, Request};
use msp_protocol::{DecodeError, ErrorCode, FunctionName, OsRng};
use serde_json::Value;

use super::proof::{Claim, Refused};
use super::tick::LEAST;
use super::{Incoming, Outcome};
use crate::access::Access;
use crate::directory::Entry;
use crate::problem::CallRefusal;
use crate::state::State;

pub(super) async fn answer(state: &State, incoming: &Incoming, request: Request) -> Outcome {
    let nonces = request.nonces();
    if state.reply_tag.marks_any(&nonces) {
        state.refuse_stranger(incoming, Reason::OwnAnswer);
        return Outcome::Refused;
    }
    if request.holds_a_nonce_twice() {
        state.refuse_stranger(incoming, Reason::NonceTwice);
        return Outcome::Refused;
    }
    let (request, entry) = match find(state, incoming, request).await {
        Ok(found) => found,
        Err(reason) => {
            state.refuse_stranger(incoming, reason);
            return Outcome::Refused;
        }
    };
    let opened = match request.open(entry.box_key(&state.key)) {
        Ok(opened) => opened,
        Err(error) => {
            state.refuse_malformed(incoming, error);
            return Outcome::Refused;
        }
    };
    let claim = Claim { entry, secret: opened.secret, ts: opened.ts, items: nonces.to_vec() };
    let reason = match state.prove(&claim, &state.directory.load_full()).await {
        Ok(()) => return run(state, incoming, &claim.entry, &opened.entry).await,
        Err(Refused::Unproven(reason)) => {
            state.guard.note_failure(incoming.peer.address, incoming.peer.is_hop, Some(&claim.entry.digest));
            reason
        }
        Err(Refused::Skewed { reason, .. } | Refused::Limited(reason) | Refused::Closed(_, reason)) => reason,
    };
    state.refuse(incoming, Some(claim.entry.label()), "401", reason);
    Outcome::Refused
}

/// Runs the function for a client that has proved itself.
async fn run(state: &State, incoming: &Incoming, client: &Entry, function: &FunctionName) -> Outcome {
    let caller = state.caller(incoming, client, Shape::Classic);
    let access = Access::begin(&*state.clock, &caller, || Some(client.label()), function);
    let refusal = match state.run(&caller, function, None).await {
        Ok(Value::String(text)) if text.len() <= state.settings.load().limits.answer => {
            let key = client.box_key(&state.key);
            let reply = classic::seal_reply(key, &state.reply_tag, &text, &mut OsRng);
            access.end("ok");
            return Outcome::Answer(StatusCode::OK, reply);
        }
        Ok(Value::String(_)) => CallRefusal::AnswerTooLarge,
        Ok(_) => {
            access.end(ErrorCode::FunctionFailed.as_str());
            let reason = Reason::NotText(function.as_str().escape_debug().to_string());
            state.refuse(incoming, Some(client.label()), "500", reason);
            return Outcome::Failed;
        }
        Err(refusal) => refusal,
    };
    access.end(refusal.code().as_str());
    let failed = refusal.is_failure_of_the_function();
    let (answer, outcome) = if failed { ("500", Outcome::Failed) } else { ("401", Outcome::Refused) };
    state.refuse(incoming, Some(client.label()), answer, refusal.reason(function));
    outcome
}

/// True when no key at all would be tried for this address.
pub(super) fn is_shut_out(state: &State, address: IpAddr) -> bool {
    state.guard.standing(address) != Standing::Free && state.guard.seen_from(address).is_empty()
}

/// Finds the client whose key opens the request: first those lately seen from the address, then all.
async fn find(state: &State, incoming: &Incoming, request: Request) -> Result<(Request, Arc<Entry>), Reason> {
    let address = incoming.peer.address;
    let directory = state.directory.load();
    let recent = state.guard.seen_from(address);
    let known = recent
        .iter()
        .filter_map(|digest| directory.by_digest(digest))
        .find(|entry| entry.record.classic && request.opens_with(entry.box_key(&state.key)));
    if let Some(entry) = known {
        return Ok((request, entry.clone()));
    }
    drop(directory);
    match state.guard.standing(address) {
        Standing::Free => {}
        Standing::Slowed(_) | Standing::Banned(_) => return Err(Reason::Slowed),
    }
    if !request.may_open() {
        return Err(Reason::Malformed(DecodeError::Size));
    }
    let Ok(found) = state.search.find(request).await else { return Err(Reason::SearchQueueFull) };
    // Only a search that takes longer than any refusal is held moves the refusal, and then for every key alike.
    incoming.since.set(incoming.since.get().max(found.all_tried.saturating_sub(LEAST)));
    match found.entry {
        Some(entry) => Ok((*found.request, entry)),
        None => Err(Reason::Stranger),
    }
}
