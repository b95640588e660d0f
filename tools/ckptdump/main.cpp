// ckptdump: looks into checkpoints from the command line. A thin user of the public API.
#include "command_line.hpp"
#include "context.hpp"
#include "progress.hpp"
#include "text.hpp"

#include <ckpt/log.hpp>

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <variant>

namespace {

using ckptdump::Context;
using ckptdump::ExitCode;

void write_error(const char* text) noexcept {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, std::strlen(text));
}

void clear_progress() noexcept {
  if (ckptdump::Progress::is_shown()) write_error("\r\x1b[K");
}

// Nothing has to be tidied up: what the tool writes, it writes so that it may be killed at any moment.
extern "C" void on_interrupt(int) {
  clear_progress();
  ::_exit(static_cast<int>(ExitCode::interrupted));
}

// A mapped file lost its tail, or its device failed.
extern "C" void on_bus_error(int) {
  clear_progress();
  const char* file = ckptdump::file_at_work();
  write_error("ckptdump: ");
  write_error(file != nullptr ? file : "a file");
  write_error(": it became shorter while it was read, or its device failed; try again\n");
  ::_exit(static_cast<int>(ExitCode::failed));
}

void handle_signals() {
  struct sigaction action{};
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
  action.sa_handler = on_bus_error;
  ::sigaction(SIGBUS, &action, nullptr);
  // A caller that ignores interrupts (nohup, a shell's background job) means its children too.
  struct sigaction former{};
  if (::sigaction(SIGINT, nullptr, &former) == 0 && former.sa_handler == SIG_IGN) return;
  action.sa_handler = on_interrupt;
  ::sigaction(SIGINT, &action, nullptr);
}

ExitCode fail(const std::string& reason) {
  const std::string line = "ckptdump: " + ckptdump::escape_message(reason) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
  return ExitCode::error;
}

ExitCode print_message(const ckptdump::Message& message) {
  if (message.code != ExitCode::ok) {
    std::fwrite(message.text.data(), 1, message.text.size(), stderr);
    return message.code;
  }
  ckptdump::Output out;
  out.write(message.text);
  out.flush();
  return ExitCode::ok;
}

ExitCode run(int argc, char** argv) {
  const auto parsed = ckptdump::parse_command_line(argc, argv);
  if (const auto* message = std::get_if<ckptdump::Message>(&parsed)) return print_message(*message);
  const auto& invocation = std::get<ckptdump::Invocation>(parsed);
  Context context{invocation.options};
  if (context.options.verbose) {
    ckpt::set_log_callback([&context](ckpt::LogLevel, std::string_view message) { report_note(context, message); });
  }
  const ExitCode code = invocation.run(context);
  finish_output(context);
  ckpt::set_log_callback({});
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  handle_signals();
  ExitCode code = ExitCode::error;
  try {
    code = run(argc, argv);
  } catch (const std::bad_alloc&) {
    code = fail("out of memory");
  } catch (const std::exception& error) {
    code = fail(error.what());
  }
  return static_cast<int>(code);
}
