#include "machine.hpp"

#include <ckpt/version.hpp>

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

namespace ckpt::bench {
namespace {

std::string first_line(const std::filesystem::path& file) {
  std::ifstream in{file};
  std::string line;
  std::getline(in, line);
  return line.empty() ? "unknown" : line;
}

std::string processor() {
  std::ifstream in{"/proc/cpuinfo"};
  std::string name = "unknown";
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name")) name = line.substr(line.find(':') + 2);
    if (name != "unknown") break;
  }
  return std::to_string(std::thread::hardware_concurrency()) + " x " + name;
}

std::string memory() {
  const auto pages = static_cast<double>(::sysconf(_SC_PHYS_PAGES));
  const double gibibytes = pages * static_cast<double>(::sysconf(_SC_PAGESIZE)) / static_cast<double>(1U << 30U);
  std::ostringstream text;
  text.precision(1);
  text << std::fixed << gibibytes << " GiB, huge pages " << first_line("/sys/kernel/mm/transparent_hugepage/enabled");
  return text.str();
}

std::string kernel() {
  utsname name{};
  if (::uname(&name) != 0) return "unknown";
  return std::string{name.sysname} + ' ' + name.release + ' ' + name.machine;
}

std::string device_number(dev_t device) { return std::to_string(major(device)) + ':' + std::to_string(minor(device)); }

// Type, mount options and mount point, from /proc/self/mountinfo: "36 35 98:0 / /mnt rw,noatime - ext3 /dev/root rw".
std::string file_system(dev_t device) {
  std::ifstream in{"/proc/self/mountinfo"};
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields{line};
    std::string id, parent, number, root, point, options, separator, type, name;
    fields >> id >> parent >> number >> root >> point >> options;
    while (fields >> separator && separator != "-") {
    }
    fields >> type >> name;
    if (number == device_number(device))
      return type.append(" on ").append(name).append(" (").append(options).append(")");
  }
  return "unknown";
}

std::string disk(dev_t device) {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::canonical("/sys/dev/block/" + device_number(device), error);
  if (error) return "none (" + device_number(device) + ')';
  if (std::filesystem::exists(folder / "partition", error)) folder = folder.parent_path();
  const std::string model = first_line(folder / "device/model");
  const std::string turns = first_line(folder / "queue/rotational");
  const std::string rotating = turns == "unknown" ? "" : (turns == "1" ? ", says it rotates" : ", does not rotate");
  return folder.filename().string() + (model == "unknown" ? "" : " " + model) + rotating +
         ", write cache: " + first_line(folder / "queue/write_cache");
}

std::string readahead(dev_t device) {
  const std::string kibibytes = first_line("/sys/class/bdi/" + device_number(device) + "/read_ahead_kb");
  return kibibytes == "unknown" ? kibibytes : kibibytes + " KiB";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> describe_machine(const std::filesystem::path& folder) {
  struct stat status{};
  ::stat(folder.c_str(), &status);
#ifdef NDEBUG
  const std::string build = "optimised, without assertions";
#else
  const std::string build = "with assertions: not for results";
#endif
  return {{"ckpt", CKPT_VERSION + std::string{", "} + build},
          {"kernel", kernel()},
          {"processor", processor()},
          {"memory", memory()},
          {"file system", file_system(status.st_dev)},
          {"disk", disk(status.st_dev)},
          {"readahead", readahead(status.st_dev)}};
}

}  // namespace ckpt::bench
