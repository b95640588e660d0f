// What every command works with: the options, the output, and how a failure of one file is told.
#pragma once

#include "format.hpp"
#include "glob.hpp"
#include "json.hpp"
#include "options.hpp"
#include "output.hpp"

#include <ckpt/error.hpp>
#include <ckpt/reader.hpp>

#include <cstddef>
#include <functional>
#include <string>

namespace ckptdump {

struct Context {
  explicit Context(Options options_given);

  Options options;
  Filter filter;
  Output out;
  JsonWriter json{out};
  Style style;             ///< of standard output
  Style error_style;       ///< of standard error
  std::string held_lines;  ///< for standard error, after the document
};

/// The file that a command is at work on, escaped, for who handles a signal; or nullptr.
const char* file_at_work() noexcept;

/// One line on standard error: "ckptdump: FILE: ...". What is printed on standard output comes first, a JSON document
/// as a whole: it stays one document when both go to the same place.
void report_error(Context& context, const std::string& file, const ckpt::Error& error);

/// "ckptdump: note: ..." on standard error.
void report_note(Context& context, std::string_view message);

/// What is left to print when the command has run. Throws OutputError.
void finish_output(Context& context);

/// The JSON document of a command about one file or directory, which `kind` names: `body` fills the open object. Errors
/// are reported, and become the member "error".
ExitCode run_on_file(Context& context, std::string_view command, std::string_view kind,
                     const std::function<ExitCode(const std::string&)>& body);

/// The same for any number of files, each an object of the array "files".
ExitCode run_on_files(Context& context, std::string_view command,
                      const std::function<ExitCode(const std::string&)>& body);

/// Calls `use` with index and TensorInfo of every selected tensor in path order, until nobody reads the output. Returns
/// how many were selected. Throws ckpt::Error when filters select none of a file that has some, so that a misspelt
/// pattern does not look like success, and corrupt when the paths that it came to are longer than the index.
std::size_t for_each_selected(Context& context, const ckpt::Reader& reader,
                              const std::function<void(std::size_t, const ckpt::TensorInfo&)>& use);

}  // namespace ckptdump
