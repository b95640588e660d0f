// What the scripts of this folder have done on a file system, through the public API alone.
#pragma once

#include <ckpt/error.hpp>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>

namespace ckpt::test {

/// Ways to save, by which numbers follow each other in a directory.
enum class Way : std::uint8_t {
  replace,     ///< a Writer, to one path
  new_name,    ///< a Writer, each save to a name of its own
  quick,       ///< as `replace`, not durable
  quick_new,   ///< as `new_name`, not durable
  manager,     ///< with rotation
  background,  ///< the same, saved in the background
};

Way way_of(const std::string& name);

/// Saves on from what is there, `saves` times or for ever (0), and prints `begun N` and `returned N`. With `flags`
/// other than 0 the power is cut as soon as the last one has returned. Goes on after `patience` failed saves, each a
/// line.
void save_on(const std::filesystem::path& dir, Way way, int saves, std::uint32_t flags, int patience);

/// Prints the number that a new process finds, 0 for none, and how many temporaries there were. Throws when a file is
/// not whole that should be.
void check(const std::filesystem::path& dir, Way way);

/// Saves once over an old checkpoint, with what room there is. Prints `saved` or `full`, or what is wrong.
void save_into_room(const std::filesystem::path& dir, const std::string& how);

/// Opens and reads, and before the last step waits for a line of input. Prints what came of it, if it lives.
void read_mapped(const std::filesystem::path& file, const std::string& how);

/// A line that another process reads at once.
inline void say(const std::string& line) { std::cout << line << std::endl; }

/// `io 28: text`
inline std::string text_of(const Error& error) {
  return std::string{to_string(error.code())} + " " + std::to_string(error.details().system_error) + ": " +
         error.what();
}

}  // namespace ckpt::test
