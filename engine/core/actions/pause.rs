//! pause: waits for a time, or for Enter.

use std::time::{Duration, Instant};

use rplay_contract::{
    args,
    args::{ArgType, NOT_CONVERTED},
    argtypes::{Flag, Text},
    wire::Value,
};

use super::{Context, Rendered, Result, TaskResult, flag_arg, text_arg};

args! {
    /// Waits for a time, or until Enter is pressed.
    pub struct Pause {
        /// Minutes to wait.
        minutes: Option<Wait>,
        /// Seconds to wait.
        seconds: Option<Wait>,
        /// The message to show.
        prompt: Option<Text>,
        /// Echo the input.
        echo: Flag = Flag(true),
    }
}

/// A duration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait(pub f64);

impl ArgType for Wait {
    const KIND: &'static str = "int";

    fn parse(value: &Value) -> Result<Self, String> {
        f64::parse(value).map(Wait).map_err(|_| {
            let shown = Text::parse(value).unwrap_or_default();
            format!("{NOT_CONVERTED}int: invalid literal for int() with base 10: '{shown}'")
        })
    }
}

pub(super) fn pause(args: Rendered, context: &Context<'_>) -> Result<TaskResult> {
    let echo = flag_arg(&args, "echo")?.unwrap_or(true);
    let prompt = text_arg(&args, "prompt").filter(|_| !context.no_log);
    let given = |name: &str| super::parsed::<Wait>(&args, name).map(|found| found.map(|wait| wait.0));
    let (minutes, seconds) = (given("minutes")?, given("seconds")?);
    let in_minutes = minutes.is_some();
    let seconds = match (minutes, seconds) {
        (Some(_), Some(_)) => {
            return Err(Box::new(TaskResult::failed("parameters are mutually exclusive: minutes|seconds")));
        }
        (Some(minutes), _) => Some(minutes * 60.0),
        (None, seconds) => seconds,
    };
    let hidden = if echo { "" } else { " (output is hidden)" };
    let (begun, started) = (Instant::now(), jiff::ZonedDateTime::now());
    let mut result = TaskResult::default();
    match seconds {
        Some(seconds) => {
            // At least one second, as in Ansible.
            let duration = Duration::try_from_secs_f64(seconds.max(1.0)).unwrap_or_default();
            let text = format!("Pausing for {} seconds", duration.as_secs());
            let prompt = prompt.map(|prompt| format!("[{}]\n{prompt}{hidden}:", context.task_name()));
            context
                .prompt
                .wait(&text, prompt.as_deref(), duration)
                .map_err(|stopped| Box::new(TaskResult::failed(stopped)))?;
            let passed = begun.elapsed().as_secs_f64();
            let (passed, unit) = if in_minutes { (passed / 60.0, "minutes") } else { (passed, "seconds") };
            result.set("stdout", format!("Paused for {} {unit}", hundredths(passed)));
            result.set("user_input", "");
        }
        None => {
            let text = prompt.unwrap_or_else(|| "Press enter to continue, Ctrl+C to interrupt".to_owned());
            let question = format!("[{}]\n{text}{hidden}: ", context.task_name());
            let typed =
                context.prompt.pause(&question, echo).map_err(|stopped| Box::new(TaskResult::failed(stopped)))?;
            if typed.is_none() {
                result.warnings.push("Not waiting for response to prompt as stdin is not interactive".into());
            }
            let typed = typed.unwrap_or_default();
            if !echo {
                context.scope.magic.conceal(&typed);
            }
            result.set("user_input", typed);
            result.set("stdout", format!("Paused for {} minutes", hundredths(begun.elapsed().as_secs_f64() / 60.0)));
        }
    }
    result.set("start", moment(&started));
    result.set("stop", moment(&jiff::ZonedDateTime::now()));
    result.set("echo", echo);
    result.set("stderr", "");
    result.set("rc", 0);
    result.set("delta", begun.elapsed().as_secs());
    Ok(result)
}

/// Python's format of a number rounded to two places: `1.0`, `1.01`.
fn hundredths(number: f64) -> String {
    let text = format!("{number:.2}");
    text.strip_suffix('0').map(str::to_owned).unwrap_or(text)
}

fn moment(at: &jiff::ZonedDateTime) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}
