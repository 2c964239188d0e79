//! `rplay adhoc`: one module on hosts, without a playbook.

use std::{io::BufWriter, sync::Arc};

use rplay::{
    config::Config,
    report::{Answers, Log, Reader},
    secrets::Secrets,
    source::{Problems, Source},
};

use crate::{
    args::AdhocArgs,
    run::{self, Plays},
};

/// Runs the module; the result is the exit code.
pub fn command(args: &AdhocArgs) -> Result<u8, Problems> {
    let module = args.module_name.rsplit('.').next().unwrap_or_default().to_owned();
    let one_line = args.one_line;
    let reader = move |config: &Config, secrets: &Arc<Secrets>, log: Option<Arc<Log>>| -> Box<dyn Reader> {
        let one_line = one_line || config.stdout_callback.value.rsplit('.').next() == Some("oneline");
        let answers = Answers::new(BufWriter::new(std::io::stdout()), &module, one_line, secrets.clone());
        Box::new(answers.with_log(log))
    };
    let folder = args.playbook_dir.clone().unwrap_or_else(|| ".".into());
    let plays = Plays::Text { source: playbook(args), folder, reader: Box::new(reader) };
    run::run(&args.run_args(), plays)
}

/// The play of one task that stands for the command line.
fn playbook(args: &AdhocArgs) -> Arc<Source> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let written = args.args.trim();
    // A mapping is YAML already; everything else is text that the module's reader takes apart.
    let given = match written {
        "" => "null".to_owned(),
        mapping if mapping.starts_with('{') && mapping.ends_with('}') && !mapping.starts_with("{{") => {
            mapping.to_owned()
        }
        text => quoted(text),
    };
    // Where hosts are only listed, nothing need be said about what to do on them.
    let task = match args.list_hosts {
        true => String::new(),
        false => format!("{{{}: {given}}}", quoted(&args.module_name)),
    };
    let text = format!(
        "[{{\"name\": \"Ansible Ad-Hoc\", \"hosts\": {}, \"gather_facts\": false, \"tasks\": [{task}]}}]\n",
        quoted(&args.pattern)
    );
    Source::inline("the command line", text)
}
