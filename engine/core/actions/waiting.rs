//! pause, reboot and wait_for_connection.

use std::time::{Duration, Instant};

use rplay_contract::wire::Map;

use crate::plan::action_args::Wait;

use super::{Act, After, Answer, Ask, Context, Rendered, Result, flag_arg, number_arg, text_arg, wire_args};

pub fn pause(args: &Rendered, context: &Context<'_>) -> Result<Answer> {
    let echo = flag_arg(args, "echo")?.unwrap_or(true);
    let prompt = text_arg(args, "prompt").filter(|_| !context.no_log);
    let given = |name: &str| super::parsed::<Wait>(args, name).map(|found| found.map(|wait| wait.0));
    let seconds = match (given("minutes")?, given("seconds")?) {
        (Some(_), Some(_)) => {
            return Err(Box::new(Answer::failed("parameters are mutually exclusive: minutes|seconds")));
        }
        (Some(minutes), _) => Some(minutes * 60.0),
        (None, seconds) => seconds,
    };
    let (begun, started) = (Instant::now(), jiff::ZonedDateTime::now());
    let mut answer = Answer::default();
    match seconds {
        Some(seconds) => {
            // At least one second, as in Ansible.
            let duration = Duration::try_from_secs_f64(seconds.max(1.0)).unwrap_or_default();
            let text = prompt.unwrap_or_else(|| format!("Pausing for {} seconds", duration.as_secs()));
            context.prompt.wait(&text, duration).map_err(|stopped| Box::new(Answer::failed(stopped)))?;
            answer.set("stdout", format!("Paused for {} seconds", hundredths(begun.elapsed().as_secs_f64())));
            answer.set("user_input", "");
        }
        None => {
            let text = prompt.unwrap_or_else(|| "Press enter to continue, Ctrl+C to interrupt".to_owned());
            let typed = context.prompt.ask(&format!("[{}]\n{text}: ", context.task_name()), echo);
            if typed.is_none() {
                answer.warnings.push("Not waiting for response to prompt as stdin is not interactive".into());
            }
            let typed = typed.unwrap_or_default();
            if !echo {
                context.scope.magic.conceal(&typed);
            }
            answer.set("user_input", typed);
            answer.set("stdout", format!("Paused for {} minutes", hundredths(begun.elapsed().as_secs_f64() / 60.0)));
        }
    }
    answer.set("start", moment(&started));
    answer.set("stop", moment(&jiff::ZonedDateTime::now()));
    answer.set("echo", echo);
    answer.set("stderr", "");
    answer.set("rc", 0);
    answer.set("delta", begun.elapsed().as_secs());
    Ok(answer)
}

/// Python's format of a number rounded to two places: `1.0`, `1.01`.
fn hundredths(number: f64) -> String {
    let text = format!("{number:.2}");
    text.strip_suffix('0').map(str::to_owned).unwrap_or(text)
}

fn moment(at: &jiff::ZonedDateTime) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}

/// The run repeats this call until the host answers or the timeout expires.
pub fn for_connection(args: &Rendered) -> Result<Ask> {
    let seconds = |name: &str, default: f64| -> Result<Duration> {
        let seconds = number_arg(args, name)?.unwrap_or(default).max(0.0);
        Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    };
    let after = After::Patience {
        timeout: seconds("timeout", 600.0)?,
        delay: seconds("delay", 0.0)?,
        sleep: seconds("sleep", 1.0)?,
    };
    Ok(Ask { module: "ping", args: Map::new(), after })
}

/// The run calls the host at each step of the restart.
pub fn reboot(args: Rendered, context: &Context<'_>) -> Result<Act> {
    if context.check {
        let mut answer = Answer { changed: true, ..Answer::default() };
        answer.set("elapsed", 0);
        answer.set("rebooted", true);
        return Ok(Act::Done(answer));
    }
    let seconds = |name: &str, default: f64| -> Result<Duration> {
        let seconds = number_arg(&args, name)?.unwrap_or(default).max(0.0);
        Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    };
    let after =
        After::Restart { timeout: seconds("reboot_timeout", 600.0)?, delay: seconds("post_reboot_delay", 0.0)? };
    Ok(Act::Call(Ask { module: "reboot", args: wire_args(args), after }))
}
