// What a disk may hold after the power is lost, worked out from a recording of system calls. All of it in memory.
//
// The model is at least as pessimistic as ext4, XFS and btrfs: only fsync makes anything durable, that of a file its
// bytes and its length, that of a directory its names. Until then
//   - each name leads to what it led to when its directory was last synced, or to anything since, whatever other names
//     do (a rename is two changes, and each may be lost by itself);
//   - each sector of a file is as it was, or as any subset of the writes since left it, or zeros, and its length is any
//     that it had since.
#pragma once

#include "door.hpp"

#include <ckpt/metadata.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace ckpt::test {

class DiskModel {
 public:
  /// Everything below `root` as it is now, and durable.
  explicit DiskModel(const std::filesystem::path& root);

  /// Makes the entry of a directory that exists one that may be lost: nobody has synced its parent.
  void forget_entry(const std::filesystem::path& directory);

  /// Applies a call. False when it changed nothing that a power cut could show.
  bool apply(const door::Event& event);

  /// What a name leads to in one state: a file with this content, or a directory.
  struct Content {
    const Bytes* bytes = nullptr;  ///< null for a directory
    std::uint64_t hash = 0;
  };
  using State = std::map<std::string, Content>;  // by path

  /// Calls `look` for each state that a power cut may leave now, at most about `most` of them, and returns how many.
  std::uint64_t for_each_state(std::uint64_t most, const std::function<void(const State&)>& look);

 private:
  struct Change {
    std::uint64_t offset = 0;
    Bytes data;
    std::uint64_t size = 0;  // of the file afterwards
  };
  struct Inode {
    Bytes durable;
    std::uint64_t size = 0;
    std::vector<Change> pending;
    std::vector<std::pair<Bytes, std::uint64_t>> variants;  // and hashes; empty when they are to be worked out
  };
  struct Name {
    std::vector<int> versions;  // the first is durable; kNone, kDirectory, or an inode
  };
  static constexpr int kNone = -1;
  static constexpr int kDirectory = -2;

  std::string path_of(const door::Event& event, const std::string& name) const;
  int current(const std::string& path) const;
  void set_name(const std::string& path, int inode);
  void change(int inode, std::uint64_t offset, const Bytes& data, std::uint64_t size);
  bool sync(int fd);
  void work_out(Inode& inode, std::uint64_t most) const;

  std::vector<Inode> inodes_;
  std::map<std::string, Name> names_;
  std::map<int, int> files_;                // by descriptor
  std::map<int, std::string> directories_;  // by descriptor
};

}  // namespace ckpt::test
