//! rplay's side on a host: answers calls until the controller hangs up.
