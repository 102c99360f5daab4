//! The operator's command line: msp-admin, gen_key, appendclient, purgeclients
