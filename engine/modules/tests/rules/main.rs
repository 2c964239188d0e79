//! Rules for all modules, including future ones.

mod every_module;
mod one_line;
mod unnamed;
