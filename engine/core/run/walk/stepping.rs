//! `--step`: asks before each task.

use std::sync::atomic::Ordering;

use crate::{event::Event, run::state::run::Run};

/// What a person answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Skip,
    Run,
    /// This task and all that follow.
    RunAll,
}

impl Step {
    /// Anything but yes and continue is no, as in Ansible.
    fn of(answer: &str) -> Self {
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Step::Run,
            "c" | "continue" => Step::RunAll,
            _ => Step::Skip,
        }
    }
}

/// Whether the task is to run. Without `--step`, or after `c`, nobody is asked.
pub(super) fn wanted(run: &Run, name: &str) -> bool {
    if !run.stepping.load(Ordering::Acquire) {
        return true;
    }
    let question = format!("Perform task: TASK: {name} (N)o/(y)es/(c)ontinue:");
    let step = Step::of(&run.prompt.ask(&format!("{question} "), true).unwrap_or_default());
    let stars = "*".repeat(79_usize.saturating_sub(question.chars().count()).max(3));
    run.send(Event::Message { text: format!("\n{question} {stars}").into() });
    if step == Step::RunAll {
        run.stepping.store(false, Ordering::Release);
    }
    step != Step::Skip
}

#[cfg(test)]
mod tests {
    use super::Step;

    #[test]
    fn only_yes_and_continue_run_a_task() {
        for (answer, step) in [
            ("y", Step::Run),
            ("YES\n", Step::Run),
            ("c", Step::RunAll),
            ("continue", Step::RunAll),
            ("n", Step::Skip),
            ("", Step::Skip),
            ("yep", Step::Skip),
        ] {
            assert_eq!(Step::of(answer), step, "{answer}");
        }
    }
}
