//! Reading and writing key files: created new, 0600 from the first moment
