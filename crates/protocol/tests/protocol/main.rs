//! Known answers and round trips of both shapes, through the public interface only.

#[cfg(test)]
mod classic_vectors;
#[cfg(test)]
mod envelope_vectors;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod scripted;
