//! The printed diploma: writes tagged PDF/A-3 with a QR code, and opens the files that people send.
