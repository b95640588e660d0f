// The subcommands. Each prints to context.out and returns the exit status; errors of files are reported, not thrown.
#pragma once

#include "context.hpp"
#include "options.hpp"

namespace ckptdump {

ExitCode run_gc(Context& context);
ExitCode run_history(Context& context);
ExitCode run_info(Context& context);
ExitCode run_ls(Context& context);
ExitCode run_tree(Context& context);
ExitCode run_verify(Context& context);

}  // namespace ckptdump
