// ckptdump verify: is every byte of the file what was written?
#include "commands.hpp"
#include "describe.hpp"
#include "input.hpp"
#include "progress.hpp"
#include "text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ckptdump {
namespace {

struct Result {
  ckpt::VerifyReport report;
  std::size_t checked = 0;  // tensors that were checked
  double seconds = 0;
};

Result verify_whole(Context& context, const ckpt::Reader& reader) {
  Progress progress{context.options};
  ckpt::VerifyOptions options;
  options.progress = [&](std::uint64_t done, std::uint64_t total) { progress.update(done, total); };
  Result result;
  result.report = reader.verify(options);
  result.checked = reader.size();
  return result;
}

// Tensors by the one whose data they are: an alias and its owner are checked once.
struct Selected {
  std::map<std::size_t, std::vector<std::size_t>> by_owner;
  std::uint64_t bytes = 0;
};

// Throws corrupt when they claim more bytes than the file has: to check them could take any time.
Selected select(Context& context, const ckpt::Reader& reader) {
  Selected selected;
  for_each_selected(context, reader, [&](std::size_t index, const ckpt::TensorInfo& tensor) {
    std::vector<std::size_t>& indices = selected.by_owner[tensor.alias_of.value_or(index)];
    indices.push_back(index);
    if (indices.size() > 1) return;
    if (tensor.stored_bytes > reader.file().file_size - selected.bytes) {
      throw ckpt::Error{ckpt::ErrorCode::corrupt,
                        {.problem = "tensors share bytes without being aliases: together they take more than the file",
                         .file = reader.path(),
                         .object = std::string{tensor.path},
                         .advice = "the file was made by a faulty writer, or to do harm: use another checkpoint"}};
    }
    selected.bytes += tensor.stored_bytes;
  });
  return selected;
}

// With filters: the data of those tensors, and what of the index leads to them.
Result verify_selected(Context& context, const ckpt::Reader& reader) {
  constexpr std::size_t kMostProblems = 10'000;  // as Reader::verify
  const Selected selected = select(context, reader);
  Progress progress{context.options};
  Result result;
  result.report.tensors = reader.size();
  for (const auto& [owner, indices] : selected.by_owner) {
    try {
      reader.verify_tensor(indices.front());
    } catch (const ckpt::Error& error) {
      if (error.code() != ckpt::ErrorCode::corrupt) throw;
      result.report.damaged_tensors += indices.size();
      if (result.report.problems.size() < kMostProblems) result.report.problems.push_back(error);
    }
    result.checked += indices.size();
    result.report.bytes += reader.info(indices.front()).stored_bytes;
    progress.update(result.report.bytes, selected.bytes);
  }
  return result;
}

std::string amount_text(const Result& result, std::string_view done, Units units) {
  constexpr double kShortest = 0.001;  // below it a rate says nothing
  std::string text =
      fmt::format("{}, {} in {}", format_bytes(result.report.bytes, units), done, format_seconds(result.seconds));
  if (result.seconds < kShortest) return text;
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(result.report.bytes) / result.seconds);
  return text + fmt::format(" ({}/s)", format_bytes(rate, units));
}

void print_text(Context& context, const std::string& file, const Result& result) {
  constexpr std::size_t kMostProblems = 20;
  const ckpt::VerifyReport& report = result.report;
  const std::string whose = context.options.files.size() > 1 ? escape(file) + ": " : "";
  if (report.ok()) {
    if (context.options.quiet) return;
    context.out.print("{}{} of {} tensors, {}\n", whose, result.checked, report.tensors,
                      amount_text(result, "verified", context.options.units));
    return;
  }
  const std::size_t shown =
      context.options.verbose ? report.problems.size() : std::min(report.problems.size(), kMostProblems);
  for (std::size_t i = 0; i < shown; ++i) {
    const ckpt::Error& problem = report.problems[i];
    const std::string where = problem.details().file.empty() ? escape(file) + ": " : "";
    context.out.print("{}{}\n", where, context.style.bad(escape_message(problem.what())));
  }
  if (shown < report.problems.size()) {
    context.out.print("{}: {} more problems; -v shows them all\n", escape(file), report.problems.size() - shown);
  }
  if (context.options.quiet) return;
  context.out.print("{}: {} of {} tensors damaged, {}\n", escape(file), report.damaged_tensors, result.checked,
                    amount_text(result, "checked", context.options.units));
}

void write_json(JsonWriter& json, const Result& result) {
  const ckpt::VerifyReport& report = result.report;
  json.member("ok", report.ok());
  json.member("tensors", report.tensors);
  json.member("checked", result.checked);
  json.member("damaged", report.damaged_tensors);
  json.member("bytes", report.bytes);
  json.member("seconds", result.seconds);
  json.begin_array("problems");
  for (const ckpt::Error& problem : report.problems) {
    json.begin_object();
    write_error_members(json, problem);
    json.end();
  }
  json.end();
}

ExitCode check(Context& context, const std::string& file) {
  // Explicit reads: an I/O error of the device is then an error, not a signal.
  const ckpt::Reader reader = open_checkpoint(file, {.mode = ckpt::ReadMode::read});
  const auto start = std::chrono::steady_clock::now();
  Result result = context.filter.selects_all() ? verify_whole(context, reader) : verify_selected(context, reader);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (context.options.json) {
    write_json(context.json, result);
  } else {
    print_text(context, file, result);
  }
  ExitCode code = ExitCode::ok;
  for (const ckpt::Error& problem : result.report.problems) code = worse(code, exit_code_of(problem.code()));
  return code;
}

}  // namespace

ExitCode run_verify(Context& context) {
  return run_on_files(context, "verify", [&](const std::string& file) { return check(context, file); });
}

}  // namespace ckptdump
