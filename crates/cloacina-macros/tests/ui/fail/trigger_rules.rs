use cloacina_core::task;

#[task(trigger_rules = all_succes)]
async fn misspelt() {}

#[task(trigger_rules = all_done())]
async fn with_arguments() {}

#[task(trigger_rules = task_failed(5))]
async fn of_a_number() {}

#[task(trigger_rules = any())]
async fn of_none() {}

#[task(trigger_rules = not(all_done, context_value("k", greater, 5)))]
async fn of_other_engines() {}

#[task(trigger_rules = all(context_value("k", equals), context_value("k", exists, 5), one_done))]
async fn wrong_literals() {}

#[task(trigger_rules = context_value("k", equals, [1, 2]))]
async fn no_literal() {}

fn main() {}
