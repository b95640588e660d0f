#include "tool.hpp"

#include <ckpt/writer.hpp>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <pty.h>
#include <spawn.h>
#include <support/files.hpp>
#include <support/temp_dir.hpp>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

namespace ckpt::test {
namespace {

std::string text_of(const std::filesystem::path& path) {
  const Bytes bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::string> environment_with(const std::vector<std::string>& added) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text{*entry};
    if (!text.starts_with("NO_COLOR=") && !text.starts_with("TERM=")) environment.emplace_back(text);
  }
  environment.emplace_back("TERM=xterm");
  environment.insert(environment.end(), added.begin(), added.end());
  return environment;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

int open_for_writing(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) throw std::runtime_error("cannot open " + path.string());
  return file;
}

pid_t spawn(const std::vector<std::string>& arguments, const ToolOptions& options, int out, int err) {
  const char* program = std::getenv("CKPTDUMP");
  if (program == nullptr) throw std::runtime_error("CKPTDUMP must name the program to test");
  std::vector<std::string> texts{"ckptdump"};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = environment_with(options.environment);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  pid_t child = 0;
  const int error =
      ::posix_spawn(&child, program, &actions, nullptr, pointers(texts).data(), pointers(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error(std::string{"cannot run "} + program);
  return child;
}

// All that is written to the other end of a terminal until it closes.
std::string drain(int terminal) {
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t got = ::read(terminal, buffer, sizeof buffer);
    if (got > 0) {
      text.append(buffer, static_cast<std::size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      return text;  // Linux says EIO when the last writer has closed
    }
  }
}

int wait_for(pid_t child, long* peak_kib = nullptr) {
  int status = 0;
  struct rusage usage{};
  while (::wait4(child, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  if (peak_kib != nullptr) *peak_kib = usage.ru_maxrss;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

ToolResult run_tool(const std::vector<std::string>& arguments, const ToolOptions& options) {
  const TempDir directory;
  const std::filesystem::path out_file = options.out_file.empty() ? directory / "out" : options.out_file;
  int master = -1;
  int out = -1;
  if (options.terminal) {
    if (::openpty(&master, &out, nullptr, nullptr, nullptr) != 0) throw std::runtime_error("openpty");
  } else {
    out = open_for_writing(out_file);
  }
  const int err = open_for_writing(directory / "err");
  const pid_t child = spawn(arguments, options, out, options.together ? out : err);
  ::close(out);
  ::close(err);
  ToolResult result;
  if (options.terminal) {
    result.out = drain(master);
    ::close(master);
  }
  result.status = wait_for(child, &result.peak_kib);
  if (!options.terminal && options.out_file.empty()) result.out = text_of(out_file);
  result.err = text_of(directory / "err");
  return result;
}

ToolResult run_tool_into_closed_pipe(const std::vector<std::string>& arguments) {
  const TempDir directory;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  ::close(ends[0]);
  const int err = open_for_writing(directory / "err");
  const pid_t child = spawn(arguments, {}, ends[1], err);
  ::close(ends[1]);
  ::close(err);
  ToolResult result;
  result.status = wait_for(child);
  result.err = text_of(directory / "err");
  return result;
}

namespace {

struct Printing {
  pid_t child;
  int out;
  std::string first;  // byte that was printed
};

// Starts the tool and waits until it prints: its handlers are in place, and the pipe fills up.
Printing start_printing(const std::vector<std::string>& arguments, const std::filesystem::path& err_file) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const int err = open_for_writing(err_file);
  const pid_t child = spawn(arguments, {}, ends[1], err);
  ::close(ends[1]);
  ::close(err);
  char first = 0;
  const ssize_t got = ::read(ends[0], &first, 1);
  return {child, ends[0], std::string(got == 1 ? 1 : 0, first)};
}

}  // namespace

int interrupt_tool(const std::vector<std::string>& arguments) {
  const TempDir directory;
  const Printing tool = start_printing(arguments, directory / "err");
  ::kill(tool.child, SIGINT);
  const int status = wait_for(tool.child);
  ::close(tool.out);
  return tool.first.empty() ? -1 : status;
}

ToolResult run_tool_on_cut_file(const std::vector<std::string>& arguments, const std::filesystem::path& file) {
  const TempDir directory;
  const Printing tool = start_printing(arguments, directory / "err");
  ToolResult result;
  std::filesystem::resize_file(file, 4096);
  result.out = tool.first + drain(tool.out);
  ::close(tool.out);
  result.status = wait_for(tool.child);
  result.err = text_of(directory / "err");
  return result;
}

nlohmann::json document_of(const ToolResult& result) {
  INFO(result.out);
  const nlohmann::json document = nlohmann::json::parse(result.out, nullptr, false);
  REQUIRE(document.is_object());
  REQUIRE(document.at("schema_version") == 1);
  return document;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t start = 0;
  for (std::size_t end = 0; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    lines.push_back(text.substr(start, end - start));
  }
  REQUIRE(start == text.size());
  return lines;
}

bool is_one_line(const std::string& text) { return !text.empty() && text.find('\n') == text.size() - 1; }

void write_model(const std::filesystem::path& path) {
  WriterOptions options;
  options.durable = false;
  options.created_ns = 1'700'000'000'000'000'000;
  options.step = 1000;
  Writer writer{path, options};
  writer.add("embed/weight", DType::bf16, {100, 8}, random_bytes(1600, 1));
  for (std::uint64_t i = 0; i < 12; ++i) {
    const std::string layer = "layers/" + std::to_string(i);
    writer.add(layer + "/kernel", DType::f32, {4, 8}, random_bytes(128, 2 * i));
    writer.add(layer + "/bias", DType::f32, {8}, random_bytes(32, 2 * i + 1));
  }
  writer.add("step", DType::i64, {}, random_bytes(8, 100));
  writer.alias("head/weight", "embed/weight");
  writer.set_metadata("loss", 2.25);
  writer.set_metadata("note", std::string{"first\x1b[31m try\n"});
  writer.set_metadata("raw", Bytes{std::byte{0}, std::byte{0xff}});
  writer.set_metadata("config", Json{R"({"layers": 12})"});
  writer.commit();
}

}  // namespace ckpt::test
