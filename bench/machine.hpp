// What a result means nothing without: the machine, the kernel, the file system and the disk.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace ckpt::bench {

/// Names and values, in the order to print them; what the system does not tell is "unknown".
std::vector<std::pair<std::string, std::string>> describe_machine(const std::filesystem::path& folder);

}  // namespace ckpt::bench
