pub(crate) mod diffs;
pub(crate) mod evaluate;
pub(crate) mod handlers;
pub(crate) mod iteration;
pub(crate) mod prepare;
pub(crate) mod register;
pub(crate) mod task_run;
