//! A local HTTP service that verifies diplomas for admissions offices. Nothing is stored.
