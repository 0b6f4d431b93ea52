//! What somebody hands in, read: a credential by itself, a package, or a link. Containers (PDF, zip) are opened by others.
