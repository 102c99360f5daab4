//! The sealed door, as clients and strangers see it.

mod addresses;
mod classic;
mod clients;
mod envelope_vectors;
mod freshness;
mod http;
mod vectors;
mod why;
