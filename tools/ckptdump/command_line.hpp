// The arguments of ckptdump.
#pragma once

#include "commands.hpp"
#include "options.hpp"

#include <optional>
#include <string>
#include <variant>

namespace ckptdump {

/// A command to run.
struct Invocation {
  Options options;
  ExitCode (*run)(Context&) = nullptr;
};

/// What to print instead: help or version (status 0, standard output), or what is wrong (status 2, standard error).
struct Message {
  std::string text;
  ExitCode code = ExitCode::ok;
};

std::variant<Invocation, Message> parse_command_line(int argc, char** argv);

}  // namespace ckptdump
