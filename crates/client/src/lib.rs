//! Calls functions of a mini-share-point server: library and msp-client
