//! Settings, the device catalogue and synonyms, and logging.
