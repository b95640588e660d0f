#include "driver.hpp"

#include <exception>
#include <span>

using namespace ckpt::test;

namespace {

constexpr const char* kUsage =
    "usage: filesystem_driver save DIR WAY SAVES FLAGS PATIENCE\n"
    "       filesystem_driver check DIR WAY\n"
    "       filesystem_driver room DIR plain|allocated|quick|manager\n"
    "       filesystem_driver read FILE touch|bind|graph|verify|full|read|manager\n";

int run(std::span<char* const> arguments) {
  const std::string command = arguments.size() >= 3 ? arguments[0] : "";
  if (command == "save" && arguments.size() == 6) {
    save_on(arguments[1], way_of(arguments[2]), std::stoi(arguments[3]),
            static_cast<std::uint32_t>(std::stoul(arguments[4])), std::stoi(arguments[5]));
  } else if (command == "check") {
    check(arguments[1], way_of(arguments[2]));
  } else if (command == "room") {
    save_into_room(arguments[1], arguments[2]);
  } else if (command == "read") {
    read_mapped(arguments[1], arguments[2]);
  } else {
    std::cerr << kUsage;
    return 2;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(std::span{argv, static_cast<std::size_t>(argc)}.subspan(1));
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
