//! A university's desk: issues, corrects and withdraws diplomas, and keeps what it issued.
