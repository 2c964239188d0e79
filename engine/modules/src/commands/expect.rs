//! `expect`: runs a program on a new terminal and answers its prompts.

use std::time::Duration;

use rplay_wire::{Failure, Map, Value, data};

use crate::{
    Change, Host, Module, Plan, args,
    argtypes::{Flag, PathArg, Text},
    commands::execution::{moment, not_needed, span},
    system::{
        captured::Excess,
        dialogue::{Dialogue, Held, Response},
        times,
    },
};

args! {
    /// Runs a program on a new terminal and answers its prompts.
    pub struct Expect {
        /// The command line, split into words like in a shell.
        command: Text,
        /// Regular expressions for prompts, with their answers: a string for every time, or a list with one for each
        /// time.
        responses: Map,
        /// A path or glob pattern; if it matches an existing file, the command does not run.
        creates: Option<PathArg>,
        /// A path or glob pattern; if it matches no file, the command does not run.
        removes: Option<PathArg>,
        /// The working directory.
        chdir: Option<PathArg>,
        /// How many seconds to wait for the next prompt, or for the end.
        timeout: i64 = 30,
        /// Whether the output shows the answers.
        echo: Flag = Flag(false),
    }
}

impl Module for Expect {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let shown = self.command.to_string();
        let words = shell_words::split(&shown)
            .map_err(|error| Failure::new(format!("cannot split the command into words: {error}")).arg("command"))?;
        let Some(program) = words.first() else {
            return Err(Failure::new("no command given").data(data! { "rc" => 256 }));
        };
        let responses = self.responses.iter().map(|(asked, answer)| Response::read(asked, answer));
        let responses = responses.collect::<Result<Vec<_>, _>>()?;
        let directory = self.chdir.as_ref().map(|chdir| chdir.on(host));
        if let Some(directory) = directory.as_deref().filter(|directory| !directory.is_dir()) {
            let (code, why) = match directory.exists() {
                true => (20, "Not a directory"),
                false => (2, "No such file or directory"),
            };
            let msg = format!("Task failed: Module failed: [Errno {code}] {why}: '{}'", directory.display());
            return Err(Failure::new(msg).arg("chdir"));
        }
        if let Some(reason) = not_needed(&self.creates, &self.removes, directory.as_deref(), host) {
            let stdout = format!("skipped, since {}", reason.replace('\'', ""));
            let plan = Plan::unchanged().set("cmd", shown).set("rc", 0);
            return Ok(plan.set("stdout", stdout));
        }
        if host.find_program(program).is_none() && !std::path::Path::new(program).is_file() && !host.rehearses() {
            let msg = format!("The command was not found or was not executable: {program}.");
            return Err(Failure::new(msg).arg("command"));
        }
        let change = Change::new(format!("run {program}"), move |host, data| {
            let start = times::now();
            let limit = Duration::from_secs(self.timeout.unsigned_abs());
            let dialogue = Dialogue::begin(host, &words, directory.as_deref(), self.echo.0, responses, limit)?;
            let Held { rc, stdout, broken, excess } = dialogue.hold()?;
            // As in ansible-core, output that is no text fails the task instead of being changed.
            if let Some((at, byte)) = broken {
                let before = stdout.get(..at).unwrap_or_default().replace("\r\n", "\n");
                let msg = format!(
                    "Task failed: Refusing to deserialize an invalid UTF8 string value: 'utf-8' codec can't encode \
                     character '\\udc{byte:02x}' in position {}: surrogates not allowed",
                    before.chars().count()
                );
                return Err(Failure::new(msg).help("the command printed bytes that are no UTF-8").not_begun());
            }
            let finish = times::now();
            let micros = finish.timestamp().as_microsecond() - start.timestamp().as_microsecond();
            data.extend(data! {
                "cmd" => shown, "rc" => rc.map_or(Value::Null, Value::from), "start" => moment(&start),
                "end" => moment(&finish), "delta" => span(micros),
                "stdout" => stdout.trim_end_matches(['\r', '\n']),
            });
            match (excess, rc) {
                (Some(excess), _) => Err(Failure::new(excess.sentence("the command")).help(Excess::help())),
                (None, Some(0)) => Ok(()),
                (None, Some(_)) => Err(Failure::new("non-zero return code")),
                (None, None) => Err(Failure::new("command exceeded timeout")),
            }
        });
        Ok(Plan::unchanged().change(
            change.changed_even_if_failed().unpredictable("remote module (expect) does not support check mode"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use rplay_wire::{Map, Outcome, Value, data};

    use crate::runner::tests::{call, checked};

    const ASKS: &str = "sh -c 'printf \"Name? \"; read n; printf \"Pass: \"; read p; echo; echo got $n $p; exit 3'";

    fn responses(pairs: &[(&str, Value)]) -> Value {
        Value::Map(pairs.iter().map(|(asked, answer)| ((*asked).to_owned(), answer.clone())).collect())
    }

    fn expect(command: &str, responses: Value, more: Map) -> Outcome {
        let mut args = data! { "command" => command, "responses" => responses };
        args.extend(more);
        call("expect", args)
    }

    #[test]
    fn questions_are_answered() {
        let done = expect(ASKS, responses(&[("Name", "bob".into()), ("(?i)pass", 5.into())]), Map::new());
        assert_eq!(done.data["stdout"], "Name? Pass: \r\ngot bob 5".into(), "{done:?}");
        assert_eq!((done.data["rc"].clone(), done.changed), (3.into(), true));
        assert_eq!(done.failure.unwrap().msg, "non-zero return code");
        let done = expect(ASKS, responses(&[("Name", "bob".into()), ("Pass", "x".into())]), data! { "echo" => true });
        assert_eq!(done.data["stdout"], "Name? bob\r\nPass: x\r\n\r\ngot bob x".into());
    }

    #[test]
    fn answers_of_a_list_come_in_turn_and_may_run_out() {
        let both = Value::List(vec!["a".into(), "b".into()]);
        let done = expect(ASKS, responses(&[("Name|Pass", both)]), Map::new());
        assert!(done.data["stdout"].as_str().unwrap().ends_with("got a b"), "{done:?}");
        let done = expect(ASKS, responses(&[("Name|Pass", Value::List(vec!["a".into()]))]), Map::new());
        assert_eq!(done.failure.unwrap().msg, "No remaining responses for 'Name|Pass', output was 'b'? Pass''");
    }

    #[test]
    fn who_asks_something_unknown_is_killed_in_time() {
        let done = expect(ASKS, responses(&[("Name", "a".into())]), data! { "timeout" => 1 });
        assert_eq!(done.failure.unwrap().msg, "command exceeded timeout");
        assert_eq!((done.data["rc"].clone(), done.data["stdout"].clone()), (Value::Null, "Name? Pass: ".into()));
    }

    #[test]
    fn output_that_is_no_text_fails_the_task() {
        let done = expect("printf 'a\\n\\351b'", responses(&[("x", "".into())]), Map::new());
        let msg = done.failure.unwrap().msg;
        assert!(msg.contains("invalid UTF8 string value") && msg.contains("'\\udce9' in position 2"), "{msg}");
        assert!(!done.changed && done.data.is_empty());
        let done = expect("printf '\\357\\277\\275'", responses(&[("x", "".into())]), Map::new());
        assert_eq!(done.data["stdout"], "\u{fffd}".into());
    }

    #[test]
    fn the_terminal_is_that_of_the_program() {
        let command = "sh -c 'cd .; echo $TERM; stty size; echo there >/dev/tty; pwd'";
        let done = expect(command, responses(&[("x", "".into())]), data! { "chdir" => "/usr" });
        assert_eq!(done.data["stdout"], "xterm\r\n24 80\r\nthere\r\n/usr".into(), "{done:?}");
    }

    #[test]
    fn what_need_not_or_cannot_run_is_said() {
        let one = || responses(&[("x", "".into())]);
        let done = expect("id", one(), data! { "creates" => "/etc/passwd" });
        assert_eq!((done.changed, done.data["stdout"].clone()), (false, "skipped, since /etc/passwd exists".into()));
        let done = expect("/nowhere/nothing", one(), Map::new());
        assert_eq!(done.failure.unwrap().msg, "The command was not found or was not executable: /nowhere/nothing.");
        assert_eq!(expect(" ", one(), Map::new()).failure.unwrap().msg, "no command given");
        assert!(checked("expect", data! { "command" => "id", "responses" => one() }).skipped.is_some());
        assert!(expect("id", responses(&[("(", "".into())]), Map::new()).failure.is_some());
    }
}
