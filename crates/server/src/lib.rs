//! The mini-share-point server
