#include "context.hpp"

#include "text.hpp"

#include <ckpt/log.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string_view>
#include <utility>

namespace ckptdump {
namespace {

std::atomic<const char*> name_at_work = nullptr;

class AtWork {
 public:
  explicit AtWork(const std::string& file) : name_{escape(file)} { name_at_work = name_.c_str(); }
  ~AtWork() { name_at_work = nullptr; }
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;

 private:
  std::string name_;
};

void print_error_line(Context& context, const std::string& line) {
  if (context.options.json) {
    context.held_lines += line;
    return;
  }
  std::fwrite(line.data(), 1, line.size(), stderr);
}

ExitCode guard(Context& context, const std::string& file, const std::function<ExitCode(const std::string&)>& body) {
  const std::size_t depth = context.json.depth();
  const AtWork at_work{file};
  try {
    return body(file);
  } catch (const ckpt::Error& error) {
    if (context.options.json) {
      context.json.close_to(depth);
      context.json.begin_object("error");
      write_error_members(context.json, error);
      context.json.end();
    }
    report_error(context, file, error);
    return exit_code_of(error.code());
  }
}

// In a sound file no two paths share bytes. Where they do, the list of them could be of any length.
[[noreturn]] void refuse_paths(const ckpt::Reader& reader) {
  throw ckpt::Error{ckpt::ErrorCode::corrupt,
                    {.problem = "the paths are longer than the index",
                     .file = reader.path(),
                     .advice = "the file was made by a faulty writer: use another checkpoint"}};
}

}  // namespace

const char* file_at_work() noexcept { return name_at_work; }

ExitCode exit_code_of(ckpt::ErrorCode code) noexcept {
  switch (code) {
    case ckpt::ErrorCode::corrupt:
      return ExitCode::failed;
    case ckpt::ErrorCode::unsupported:
    case ckpt::ErrorCode::limit:
      return ExitCode::unknown;
    default:
      return ExitCode::error;
  }
}

Context::Context(Options options_given)
    : options{std::move(options_given)},
      filter{options.include, options.exclude},
      style{wants_color(options.color, ::isatty(STDOUT_FILENO) == 1) && !options.json},
      error_style{wants_color(options.color, ::isatty(STDERR_FILENO) == 1)} {}

void report_error(Context& context, const std::string& file, const ckpt::Error& error) {
  context.out.flush();
  std::string line = context.error_style.bad("ckptdump:") + " ";
  if (error.details().file.empty()) line += escape(file) + ": ";
  print_error_line(context, line + escape_message(error.what()) + "\n");
}

void report_note(Context& context, std::string_view message) {
  print_error_line(context, context.error_style.bold("ckptdump:") + " note: " + escape_message(message) + "\n");
}

void finish_output(Context& context) {
  context.out.flush();
  std::fwrite(context.held_lines.data(), 1, context.held_lines.size(), stderr);
  context.held_lines.clear();
}

ExitCode run_on_file(Context& context, std::string_view command, std::string_view kind,
                     const std::function<ExitCode(const std::string&)>& body) {
  const std::string& file = context.options.files.front();
  if (context.options.json) {
    context.json.begin_document(command);
    context.json.text_member(kind, file);
  }
  const ExitCode code = guard(context, file, body);
  if (context.options.json) context.json.end_document();
  return code;
}

ExitCode run_on_files(Context& context, std::string_view command,
                      const std::function<ExitCode(const std::string&)>& body) {
  ExitCode code = ExitCode::ok;
  JsonWriter& json = context.json;
  const bool wants_json = context.options.json;
  if (wants_json) {
    json.begin_document(command);
    json.begin_array("files");
  }
  for (const std::string& file : context.options.files) {
    if (wants_json) {
      json.begin_object();
      json.text_member("file", file);
    }
    code = worse(code, guard(context, file, body));
    if (wants_json) json.end();
  }
  if (wants_json) json.end_document();
  return code;
}

std::size_t for_each_selected(Context& context, const ckpt::Reader& reader,
                              const std::function<void(std::size_t, const ckpt::TensorInfo&)>& use) {
  std::size_t selected = 0;
  std::uint64_t bytes_of_paths = 0;
  const std::uint64_t most_bytes = reader.file().index_size;
  const bool all = context.filter.selects_all();
  for (std::size_t i = 0; i < reader.size() && !context.out.closed(); ++i) {
    const ckpt::TensorInfo info = reader.info(i);
    bytes_of_paths += info.path.size();
    if (bytes_of_paths > most_bytes) refuse_paths(reader);
    if (!all && !context.filter.selects(info.path)) continue;
    ++selected;
    use(i, info);
  }
  if (selected == 0 && reader.size() != 0 && !all && !context.out.closed()) {
    throw ckpt::Error{
        ckpt::ErrorCode::invalid_argument,
        {.problem = "no tensor matches the patterns",
         .file = reader.path(),
         .advice = "'ckptdump ls FILE' lists all paths; what follows FILE are patterns, not further files"}};
  }
  return selected;
}

}  // namespace ckptdump
