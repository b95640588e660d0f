// ckptdump history: the checkpoints of a directory, oldest first.
#include "commands.hpp"
#include "describe.hpp"
#include "input.hpp"
#include "progress.hpp"
#include "rules_text.hpp"
#include "table.hpp"
#include "text.hpp"

#include <ckpt/history.hpp>

#include <fmt/format.h>

#include <string>
#include <vector>

namespace ckptdump {
namespace {

const char* management_text(ckpt::Management management) {
  switch (management) {
    case ckpt::Management::managed:
      return "managed";
    case ckpt::Management::preserved:
      return "preserved";
    case ckpt::Management::unmanaged:
      return "unmanaged";
  }
  return "";
}

// A checkpoint that is no file at all is as bad as a damaged one.
ExitCode exit_code_of_entry(const ckpt::HistoryEntry& entry) {
  if (!entry.problem) return ExitCode::ok;
  const ckpt::ErrorCode code = entry.problem->code();
  const bool no_file = code == ckpt::ErrorCode::invalid_argument || code == ckpt::ErrorCode::not_found;
  return no_file ? ExitCode::failed : exit_code_of(code);
}

// A directory without a state file may be a copy of some checkpoints.
ExitCode exit_code_of_run(const ckpt::RunHistory& run) {
  ExitCode code = ExitCode::ok;
  if (run.state_problem && run.state_problem->code() != ckpt::ErrorCode::not_found) {
    code = exit_code_of(run.state_problem->code());
  }
  for (const ckpt::HistoryEntry& entry : run.checkpoints) code = worse(code, exit_code_of_entry(entry));
  return code;
}

// ---- text ----

std::string metrics_text(const std::vector<ckpt::Metric>& metrics, bool all) {
  constexpr std::size_t kMost = 3;
  std::vector<std::string> texts;
  for (const ckpt::Metric& metric : metrics) {
    if (!all && texts.size() == kMost) {
      texts.push_back(fmt::format("and {} more", metrics.size() - kMost));
      break;
    }
    texts.push_back(all ? fmt::format("{}={}", escape(metric.name), metric.value)
                        : fmt::format("{}={:.6g}", escape(metric.name), metric.value));
  }
  return fmt::format("{}", fmt::join(texts, " "));
}

std::string notes_text(const Style& style, const ckpt::HistoryEntry& entry) {
  std::vector<std::string> texts;
  if (entry.newest) texts.push_back(style.good("newest"));
  if (entry.pinned) texts.push_back(style.link("pinned"));
  if (entry.management != ckpt::Management::managed) texts.emplace_back(management_text(entry.management));
  if (entry.problem) {
    const bool unknown = exit_code_of_entry(entry) == ExitCode::unknown;
    const bool refused = exit_code_of_entry(entry) == ExitCode::error;
    texts.push_back(style.bad(unknown ? "unknown" : refused ? "unreadable" : "damaged"));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

void print_checkpoints(Context& context, const ckpt::RunHistory& run) {
  Table table{{{"FILE"}, {"STEP", Align::right}, {"SIZE", Align::right}, {"CREATED"}, {"METRICS"}, {"NOTES"}}};
  for (const ckpt::HistoryEntry& entry : run.checkpoints) {
    table.add({name_of(entry.file), entry.step ? fmt::format("{}", *entry.step) : "-",
               format_bytes(entry.bytes, context.options.units),
               entry.created_ns ? format_time(*entry.created_ns) : "-",
               metrics_text(entry.metrics, context.options.verbose), notes_text(context.style, entry)});
  }
  table.print(context);
}

void print_problem(Context& context, const std::filesystem::path& file, const ckpt::Error& problem) {
  const std::string where = problem.details().file.empty() ? escape(file.native()) + ": " : "";
  context.out.print("{}{}\n", where, context.style.bad(escape_message(problem.what())));
}

void print_problems(Context& context, const std::string& directory, const ckpt::RunHistory& run) {
  for (const ckpt::HistoryEntry& entry : run.checkpoints) {
    if (entry.problem) print_problem(context, entry.file, *entry.problem);
  }
  const bool missing = run.state_problem && run.state_problem->code() == ckpt::ErrorCode::not_found;
  if (run.state_problem && !(missing && context.options.quiet)) print_problem(context, directory, *run.state_problem);
}

void print_run(Context& context, const ckpt::RunHistory& run) {
  std::uint64_t bytes = 0;
  for (const ckpt::HistoryEntry& entry : run.checkpoints) bytes += entry.bytes;
  context.out.print("{}   {} {}, {}\n", context.style.bold(escape(run.name)), run.checkpoints.size(),
                    run.checkpoints.size() == 1 ? "checkpoint" : "checkpoints",
                    format_bytes(bytes, context.options.units));
  if (run.rules) context.out.print("keeps  {}\n", rules_text(*run.rules));
  print_checkpoints(context, run);
}

void print_temporaries(Context& context, const std::vector<ckpt::TemporaryFile>& temporaries) {
  Table table{{{"TEMPORARY"}, {"SIZE", Align::right}, {"NOTES"}}};
  for (const ckpt::TemporaryFile& file : temporaries) {
    table.add({name_of(file.file), format_bytes(file.bytes, context.options.units),
               file.stale ? "left by a save that was killed" : "being written"});
  }
  table.print(context);
}

void print_text(Context& context, const std::string& directory, const ckpt::DirectoryHistory& history) {
  const bool quiet = context.options.quiet;
  for (const ckpt::RunHistory& run : history.runs) {
    if (!quiet) print_run(context, run);
    print_problems(context, directory, run);
  }
  if (quiet) return;
  if (history.runs.empty()) context.out.print("no checkpoints yet\n");
  print_temporaries(context, history.temporaries);
  if (history.manager_runs) context.out.print("a manager is running here\n");
}

// ---- JSON ----

void write_error(JsonWriter& json, std::string_view name, const std::optional<ckpt::Error>& error) {
  if (!error) return;
  json.begin_object(name);
  write_error_members(json, *error);
  json.end();
}

void write_entry(JsonWriter& json, const ckpt::HistoryEntry& entry) {
  json.begin_object();
  json.text_member("file", entry.file.native());
  json.member("number", entry.number);
  json.member("bytes", entry.bytes);
  if (entry.step) json.member("step", *entry.step);
  if (entry.created_ns) json.member("created_ns", *entry.created_ns);
  json.begin_object("metrics");
  for (const ckpt::Metric& metric : entry.metrics) json.member(metric.name, metric.value);
  json.end();
  json.member("management", management_text(entry.management));
  json.member("pinned", entry.pinned);
  json.member("newest", entry.newest);
  write_error(json, "problem", entry.problem);
  json.end();
}

void write_json(JsonWriter& json, const ckpt::DirectoryHistory& history) {
  json.member("manager_runs", history.manager_runs);
  json.begin_array("runs");
  for (const ckpt::RunHistory& run : history.runs) {
    json.begin_object();
    json.text_member("name", run.name);
    if (run.rules) write_rules(json, *run.rules);
    write_error(json, "state_problem", run.state_problem);
    json.begin_array("checkpoints");
    for (const ckpt::HistoryEntry& entry : run.checkpoints) write_entry(json, entry);
    json.end();
    json.end();
  }
  json.end();
  json.begin_array("temporaries");
  for (const ckpt::TemporaryFile& file : history.temporaries) {
    json.begin_object();
    json.text_member("file", file.file.native());
    json.member("bytes", file.bytes);
    json.member("stale", file.stale);
    json.end();
  }
  json.end();
}

ExitCode show(Context& context, const std::string& directory) {
  require_directory(context, directory);
  ckpt::DirectoryHistory history;
  {
    Progress progress{context.options};
    history = ckpt::read_history(
        directory, {.verify = context.options.verify,
                    .progress = [&](std::uint64_t done, std::uint64_t total) { progress.update(done, total); }});
  }
  if (context.options.json) {
    write_json(context.json, history);
  } else {
    print_text(context, directory, history);
  }
  ExitCode code = ExitCode::ok;
  for (const ckpt::RunHistory& run : history.runs) code = worse(code, exit_code_of_run(run));
  return code;
}

}  // namespace

ExitCode run_history(Context& context) {
  return run_on_file(context, "history", "directory",
                     [&](const std::string& directory) { return show(context, directory); });
}

}  // namespace ckptdump
