#include "output.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace ckptdump {

void Output::flush() {
  std::string_view rest{buffer_.data(), buffer_.size()};
  while (!rest.empty() && !closed_) {
    const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      closed_ = true;
    } else if (errno != EINTR) {
      const std::string reason = std::generic_category().message(errno);
      buffer_.clear();
      throw OutputError{"cannot write to standard output: " + reason + "; what was printed is incomplete"};
    }
  }
  buffer_.clear();
}

}  // namespace ckptdump
