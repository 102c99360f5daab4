//! What is short-lived: seen nonces, sightings, failures and bans
