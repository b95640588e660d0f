// Running the real ckptdump, and files for it.
#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace ckpt::test {

struct ToolResult {
  int status = -1;  ///< the exit status; -1 when a signal ended it
  std::string out;
  std::string err;
  long peak_kib = 0;  ///< of memory; at least that of this process
};

struct ToolOptions {
  /// NAME=VALUE, added to the environment, which has no NO_COLOR otherwise.
  std::vector<std::string> environment = {};
  /// Standard output goes here instead of into ToolResult::out.
  std::filesystem::path out_file = {};
  /// Standard error goes where standard output does, as with 2>&1.
  bool together = false;
  /// Standard output is a terminal.
  bool terminal = false;
};

/// Runs the program that the environment variable CKPTDUMP names, and waits for it.
ToolResult run_tool(const std::vector<std::string>& arguments, const ToolOptions& options = {});

/// Runs it with a standard output that nobody reads, and which is closed before it starts.
ToolResult run_tool_into_closed_pipe(const std::vector<std::string>& arguments);

/// Runs it, waits for its first output, which must be over 64 KiB in all, and interrupts it. The exit status, or -1.
int interrupt_tool(const std::vector<std::string>& arguments);

/// Runs it, waits for its first output, which must be over 64 KiB in all, cuts `file` off after its first page, and
/// waits for it.
ToolResult run_tool_on_cut_file(const std::vector<std::string>& arguments, const std::filesystem::path& file);

/// The one JSON document that the output must be; the test fails when it is none or has no schema_version 1.
nlohmann::json document_of(const ToolResult& result);

/// Lines without their newlines; the last one must have ended.
std::vector<std::string> lines_of(const std::string& text);

/// Whether `text` is one line: ended by its only newline.
bool is_one_line(const std::string& text);

/// A small model: "embed/weight" bf16 [100, 8], "head/weight" an alias of it, "layers/0" to "layers/11" each with
/// "kernel" f32 [4, 8] and "bias" f32 [8], "step" i64 []; step 1000 and some metadata.
void write_model(const std::filesystem::path& path);

}  // namespace ckpt::test
