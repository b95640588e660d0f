// ckptdump gc: what retention and the cleaning up after crashes would delete, and why.
#include "commands.hpp"
#include "describe.hpp"
#include "input.hpp"
#include "progress.hpp"
#include "table.hpp"
#include "text.hpp"

#include <ckpt/garbage.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace ckptdump {
namespace {

const char* kind_text(ckpt::GarbageKind kind) {
  switch (kind) {
    case ckpt::GarbageKind::checkpoint:
      return "checkpoint";
    case ckpt::GarbageKind::pin:
      return "pin";
    case ckpt::GarbageKind::temporary:
      return "temporary";
  }
  return "";
}

// What goes, or has gone.
struct Amount {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
};

Amount amount_of(const ckpt::GarbageReport& report, bool applied) {
  Amount amount;
  for (const ckpt::Garbage& garbage : report.garbage) {
    if (applied && !garbage.removed) continue;
    ++amount.files;
    amount.bytes += garbage.bytes;
  }
  return amount;
}

// ---- text ----

void print_garbage(Context& context, const ckpt::GarbageReport& report, bool applied) {
  Table table{{{applied ? "REMOVED" : "WOULD GO"}, {"SIZE", Align::right}, {"WHY"}}};
  for (const ckpt::Garbage& garbage : report.garbage) {
    if (applied && !garbage.removed) continue;
    table.add(
        {name_of(garbage.file), format_bytes(garbage.bytes, context.options.units), escape_message(garbage.reason)});
  }
  table.print(context);
}

void print_what_stays(Context& context, const ckpt::GarbageReport& report) {
  Table table{{{"STAYS"}, {"WHY"}}};
  for (const ckpt::RunRetention& run : report.runs) {
    for (const ckpt::RetentionDecision& decision : run.decisions) {
      if (!decision.keep) continue;
      table.add({name_of(decision.file), escape_message(fmt::format("{}", fmt::join(decision.reasons, "; ")))});
    }
  }
  table.print(context);
}

void print_summary(Context& context, const ckpt::GarbageReport& report, bool applied) {
  const Amount amount = amount_of(report, applied);
  const std::string what = fmt::format("{} {}, {}", amount.files, amount.files == 1 ? "file" : "files",
                                       format_bytes(amount.bytes, context.options.units));
  if (report.garbage.empty()) {
    context.out.print("nothing to remove\n");
  } else if (applied) {
    context.out.print("{} removed\n", what);
  } else {
    context.out.print("{} would go; nothing was changed{}\n", what,
                      report.manager_runs ? "" : ": --apply removes them");
  }
  if (report.manager_runs) {
    context.out.print(
        "a manager is running here: it removes by itself what its rules let go of, and --apply is refused "
        "until it has ended\n");
  }
}

void print_text(Context& context, const ckpt::GarbageReport& report, bool applied) {
  if (context.options.quiet) return;
  print_garbage(context, report, applied);
  if (context.options.verbose) print_what_stays(context, report);
  for (const ckpt::RunRetention& run : report.runs) {
    if (run.held_back.empty()) continue;
    context.out.print("{}: all checkpoints stay: {}\n", escape(run.name), escape_message(run.held_back));
  }
  print_summary(context, report, applied);
}

// ---- JSON ----

void write_runs(JsonWriter& json, const ckpt::GarbageReport& report) {
  json.begin_array("runs");
  for (const ckpt::RunRetention& run : report.runs) {
    json.begin_object();
    json.text_member("name", run.name);
    if (!run.held_back.empty()) json.text_member("held_back", run.held_back);
    json.begin_array("decisions");
    for (const ckpt::RetentionDecision& decision : run.decisions) {
      json.begin_object();
      json.text_member("file", decision.file.native());
      json.member("number", decision.number);
      json.member("keep", decision.keep);
      json.begin_array("reasons");
      for (const std::string& reason : decision.reasons) json.value(std::string_view{reason});
      json.end();
      json.end();
    }
    json.end();
    json.end();
  }
  json.end();
}

void write_json(JsonWriter& json, const ckpt::GarbageReport& report, bool applied) {
  const Amount amount = amount_of(report, applied);
  json.member("applied", applied);
  json.member("manager_runs", report.manager_runs);
  json.member("files", amount.files);
  json.member("bytes", amount.bytes);
  json.begin_array("garbage");
  for (const ckpt::Garbage& garbage : report.garbage) {
    json.begin_object();
    json.text_member("file", garbage.file.native());
    json.member("kind", kind_text(garbage.kind));
    json.member("bytes", garbage.bytes);
    json.text_member("reason", garbage.reason);
    json.member("removed", garbage.removed);
    if (garbage.failure) {
      json.begin_object("failure");
      write_error_members(json, *garbage.failure);
      json.end();
    }
    json.end();
  }
  json.end();
  write_runs(json, report);
}

ExitCode clean(Context& context, const std::string& directory) {
  require_directory(context, directory);
  const bool apply = context.options.apply;
  ckpt::GarbageReport report;
  {
    Progress progress{context.options};
    report = ckpt::collect_garbage(
        directory,
        {.apply = apply, .progress = [&](std::uint64_t done, std::uint64_t total) { progress.update(done, total); }});
  }
  if (context.options.json) {
    write_json(context.json, report, apply);
  } else {
    print_text(context, report, apply);
  }
  ExitCode code = ExitCode::ok;
  for (const ckpt::Garbage& garbage : report.garbage) {
    if (!garbage.failure) continue;
    report_error(context, garbage.file.native(), *garbage.failure);
    code = ExitCode::error;
  }
  return code;
}

}  // namespace

ExitCode run_gc(Context& context) {
  return run_on_file(context, "gc", "directory",
                     [&](const std::string& directory) { return clean(context, directory); });
}

}  // namespace ckptdump
