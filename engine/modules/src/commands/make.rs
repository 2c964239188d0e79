//! `make`: targets of a Makefile.

use rplay_wire::{Failure, Map, Value};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    args::ArgType,
    argtypes::{PathArg, Text},
    io_failure::io_failure,
    system::{
        paths,
        program::{Output, Program},
        regular,
    },
};

args! {
    /// Runs targets of a Makefile. They count as a change unless `make -q` finds them up to date.
    pub struct Make {
        /// The directory to run it in.
        chdir: PathArg,
        /// The target; by default the first one.
        target: Option<Text>,
        /// Several targets.
        targets: Option<Vec<Text>>,
        /// Variables and other words for the command line; a value of null gives the name alone.
        params: Option<Map>,
        /// The Makefile, if it has another name.
        file: Option<PathArg>,
        /// The program; by default `gmake`, or else `make`.
        make: Option<PathArg>,
        /// How many jobs run at once.
        jobs: Option<i64>,
    }
}

impl Module for Make {
    fn check(&self) -> Result<(), ArgError> {
        match self.target.is_some() && self.targets.is_some() {
            true => Err(ArgError::exclusive("targets", &["target", "targets"])),
            false => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let directory = self.chdir.on(host);
        let own = self.make.as_ref().map(|make| paths::text(make.on(host)));
        let name = own.unwrap_or_else(|| if host.has_program("gmake") { "gmake" } else { "make" }.to_owned());
        let words = self.words(host)?;
        let wanted = self.parameters(&paths::text(&directory));
        if !directory.is_dir() {
            let missing = || {
                let msg = format!("cannot run make in {}: it is no directory", directory.display());
                Failure::new(msg).arg("chdir")
            };
            let plan = Plan::unchanged().assumes(host, format!("the directory {}", directory.display()), missing)?;
            return Ok(plan.change(Change::new("run make".to_owned(), |_, _| Ok(()))));
        }
        if let Some(file) = &self.file {
            let file = directory.join(file.on(host));
            // make would wait at a FIFO.
            regular::refuse_special_target(&file).map_err(|error| io_failure("read", &file, &error).arg("file"))?;
        }
        let make = |host: &Host| -> Result<Program, Failure> {
            Ok(host.required_program(&name)?.args(&words).current_dir(&directory))
        };
        let command = make(host)?.to_string();
        let asked = host.required_program(&name)?.arg("-q").args(&words).current_dir(&directory).run()?;
        let mut plan = Plan::unchanged();
        plan.data = told(&asked);
        plan.data.extend(wanted);
        plan.data.insert("command".to_owned(), command.clone().into());
        if asked.rc == 0 {
            return Ok(plan);
        }
        let change = move |host: &Host, data: &mut Map| {
            let done = host.required_program(&name)?.args(&words).current_dir(&directory).succeed()?;
            data.extend(told(&done));
            Ok(())
        };
        Ok(plan.change(Change::new(format!("run `{command}`"), change)))
    }
}

/// The output as the result has it.
fn told(done: &Output) -> Map {
    rplay_wire::data! { "stdout" => done.stdout.trim_end(), "stderr" => done.stderr.trim_end() }
}

impl Make {
    /// The arguments of the program.
    fn words(&self, host: &Host) -> Result<Vec<String>, Failure> {
        let mut words = Vec::new();
        if let Some(jobs) = self.jobs {
            words.extend(["-j".to_owned(), jobs.to_string()]);
        }
        if let Some(file) = &self.file {
            words.extend(["-f".to_owned(), paths::text(file.on(host))]);
        }
        words.extend(self.target.clone().filter(|target| !target.is_empty()));
        words.extend(self.targets.iter().flatten().cloned());
        for (name, value) in self.params.iter().flatten() {
            words.push(match value {
                Value::Null => name.clone(),
                value => {
                    let text = Text::parse(value).map_err(|reason| Failure::new(reason).arg("params"))?;
                    format!("{name}={text}")
                }
            });
        }
        Ok(words)
    }

    /// The arguments as the result repeats them.
    fn parameters(&self, chdir: &str) -> Map {
        let text = |value: Option<&str>| value.map_or(Value::Null, Value::from);
        let targets = self.targets.clone().map_or(Value::Null, Value::from);
        rplay_wire::data! {
            "target" => text(self.target.as_deref()),
            "targets" => targets,
            "params" => self.params.clone().map_or(Value::Null, Value::Map),
            "chdir" => chdir,
            "file" => text(self.file.as_ref().map(|file| file.0.as_str())),
            "jobs" => self.jobs.map_or(Value::Null, Value::from),
        }
    }
}
