//! The diploma model: European Learning Model terms, as our own JSON Schema has them.
