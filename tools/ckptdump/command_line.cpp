#include "command_line.hpp"

#include "text.hpp"

#include <ckpt/version.hpp>

#include <CLI/CLI.hpp>

#include <charconv>
#include <cstddef>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace ckptdump {
namespace {

constexpr const char* kFooter =
    "GLOB: '*' is any run of characters ('/' included), '?' one, [a-z] one of a set, [!a-z] one not in it; without "
    "any\n"
    "of these it is a path, and stands for all below it too.\n"
    "\n"
    "Exit status, with several files the highest:\n"
    "  0    fine\n"
    "  1    a file is damaged, truncated or no checkpoint\n"
    "  2    wrong usage (also patterns that match nothing), or a file cannot be read\n"
    "  3    a format, version or feature that this version does not know\n"
    "  130  interrupted";

constexpr const char* kVersion = "ckptdump " CKPT_VERSION " (reads ckpt format 1)";

constexpr std::size_t kMostDepth = 1'000'000;

// CLI11 takes "[a,b]" and "{}" for lists of values, but a GLOB may look like that: a mark in front keeps it whole.
constexpr char kMark = '\x01';

std::string protect(const std::string& argument) {
  const bool special = argument.starts_with('[') || argument.starts_with('{') || argument.starts_with('%');
  return special ? kMark + argument : argument;
}

std::string without_mark(const std::string& argument) {
  return argument.starts_with(kMark) ? argument.substr(1) : argument;
}

std::vector<std::string> without_marks(std::vector<std::string> arguments) {
  for (std::string& argument : arguments) argument = without_mark(argument);
  return arguments;
}

// Empty when it is one.
std::string why_not_a_depth(const std::string& text) {
  std::size_t depth = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, depth);
  if (error == std::errc{} && rest == end && depth >= 1 && depth <= kMostDepth) return {};
  return "'" + escape(text) + "' is no number of levels: 1 for the uppermost alone, without --depth up to 64";
}

class Parser {
 public:
  Parser() : app_{std::make_unique<CLI::App>("Looks into checkpoints.", "ckptdump")} {
    app_->require_subcommand(1);
    app_->footer(kFooter);
    app_->set_version_flag("--version", kVersion);
    app_->get_formatter()->column_width(28);
    add_globals();
    add_commands();
  }

  std::variant<Invocation, Message> parse(int argc, char** argv) {
    try {
      std::vector<std::string> arguments;
      for (int i = argc; i-- > 1;) arguments.push_back(protect(argv[i]));
      app_->parse(std::move(arguments));
    } catch (const CLI::CallForVersion&) {
      return Message{std::string{kVersion} + "\n"};
    } catch (const CLI::Success&) {
      return Message{app_->help()};
    } catch (const CLI::ParseError& error) {
      return Message{"ckptdump: " + complaint(error, argc, argv) + "\n", ExitCode::error};
    }
    return invocation();
  }

 private:
  void add_globals() {
    app_->add_flag("--json", options_.json, "One JSON document, with a schema_version");
    add_globs(*app_, "--include", options_.include, "Only tensors whose path matches; may be repeated");
    add_globs(*app_, "--exclude", options_.exclude, "No tensors whose path matches; may be repeated");
    app_->add_option("--units", units_, "KiB and MiB, kB and MB, or plain numbers")
        ->type_name("U")
        ->check(CLI::IsMember({"iec", "si", "bytes"}));
    app_->add_option("--color", color_, "'auto' heeds NO_COLOR")
        ->type_name("WHEN")
        ->check(CLI::IsMember({"auto", "always", "never"}));
    CLI::Option* quiet =
        app_->add_flag("-q,--quiet", options_.quiet, "Only errors and damage: no summary, no progress");
    app_->add_flag("-v,--verbose", options_.verbose, "More details")->excludes(quiet);
  }

  // One value each time: what follows may be a file.
  static void add_globs(CLI::App& app, const std::string& name, std::vector<std::string>& globs,
                        const std::string& about) {
    app.add_option(name, globs, about)->type_name("GLOB")->allow_extra_args(false);
  }

  static void add_files(CLI::App& app, std::vector<std::string>& files) {
    app.add_option("FILE", files, "Checkpoints")->required()->type_name("");
  }

  void add_directory(CLI::App& app) {
    app.add_option("DIRECTORY", file_, "Of the checkpoints of a run")->required()->type_name("");
  }

  void add_file(CLI::App& app) { app.add_option("FILE", file_, "A checkpoint")->required()->type_name(""); }

  CLI::App* add_command(const std::string& name, const std::string& about, ExitCode (*run)(Context&)) {
    CLI::App* command = app_->add_subcommand(name, about);
    command->fallthrough();
    command->footer("'ckptdump --help' tells the options that all commands take.");
    command->callback([this, run] { run_ = run; });
    return command;
  }

  void add_commands() {
    add_files(*add_command("info", "What is in a file: sizes, dtypes, metadata", run_info), options_.files);

    CLI::App* ls = add_command("ls", "The tensors, a line each", run_ls);
    add_file(*ls);
    ls->add_option("GLOB", globs_, "The same as --include GLOB")->type_name("");
    ls->add_flag("-l,--long", options_.long_listing, "Also dtype, shape, bytes, offset and codec");

    CLI::App* tree = add_command("tree", "Parameters and bytes, grouped by path", run_tree);
    add_file(*tree);
    tree->add_option("--depth", depth_, "Show that many levels, at most (and by default) 64")
        ->type_name("N")
        ->check(CLI::Validator{why_not_a_depth, ""});

    add_files(*add_command("verify", "Read every byte and check it; with patterns, those tensors alone", run_verify),
              options_.files);

    CLI::App* history = add_command("history", "The checkpoints of a directory, oldest first", run_history);
    add_directory(*history);
    history->add_flag("--verify", options_.verify, "Read every byte of each");

    CLI::App* gc = add_command("gc", "What retention and cleaning up after crashes would delete, and why", run_gc);
    add_directory(*gc);
    gc->add_flag("--apply", options_.apply, "Delete it");
  }

  Invocation invocation() {
    options_.units = units_ == "bytes" ? Units::bytes : units_ == "si" ? Units::si : Units::iec;
    options_.color = color_ == "always"  ? ColorMode::always
                     : color_ == "never" ? ColorMode::never
                                         : ColorMode::automatic;
    options_.files = options_.files.empty() ? std::vector{without_mark(file_)} : without_marks(options_.files);
    if (depth_ != 0) options_.depth = depth_;
    options_.include.insert(options_.include.end(), globs_.begin(), globs_.end());
    options_.include = without_marks(std::move(options_.include));
    options_.exclude = without_marks(std::move(options_.exclude));
    return {options_, run_};
  }

  // One line: what is wrong, and what to try.
  std::string complaint(const CLI::ParseError& error, int argc, char** argv) const {
    const std::string first = argc > 1 ? argv[1] : "";
    if (first.empty()) return "no command; try 'ckptdump info FILE', or 'ckptdump --help'";
    if (first.front() != '-' &&
        app_->get_subcommands([&](const CLI::App* a) { return a->check_name(first); }).empty()) {
      return "'" + escape(first) + "' is no command; try 'ckptdump info " + escape(first) + "', or 'ckptdump --help'";
    }
    std::string what = error.what();
    std::erase(what, kMark);
    return escape_message(what) + "; try 'ckptdump --help'";
  }

  std::unique_ptr<CLI::App> app_;
  Options options_;
  std::string units_ = "iec";
  std::string color_ = "auto";
  std::string file_;
  std::size_t depth_ = 0;
  std::vector<std::string> globs_;
  ExitCode (*run_)(Context&) = nullptr;
};

}  // namespace

std::variant<Invocation, Message> parse_command_line(int argc, char** argv) { return Parser{}.parse(argc, argv); }

}  // namespace ckptdump
