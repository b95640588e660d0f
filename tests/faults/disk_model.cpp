#include "disk_model.hpp"

#include "codec/xxh3.hpp"

#include <fcntl.h>
#include <support/files.hpp>

#include <algorithm>
#include <initializer_list>
#include <random>
#include <set>
#include <span>
#include <stdexcept>

namespace ckpt::test {
namespace {

constexpr std::size_t kSector = 512;
constexpr std::size_t kPage = 4096;

bool is_success(const door::Event& event) { return event.result >= 0; }

}  // namespace

DiskModel::DiskModel(const std::filesystem::path& root) {
  names_[root.native()].versions = {kDirectory};
  for (const auto& entry : std::filesystem::recursive_directory_iterator{root}) {
    int inode = kDirectory;
    if (!entry.is_directory()) {
      inode = static_cast<int>(inodes_.size());
      Bytes bytes = read_file(entry.path());
      const std::uint64_t size = bytes.size();
      inodes_.push_back({std::move(bytes), size, {}, {}});
    }
    names_[entry.path().native()].versions = {inode};
  }
}

void DiskModel::forget_entry(const std::filesystem::path& directory) {
  names_.at(directory.native()).versions = {kNone, kDirectory};
}

std::string DiskModel::path_of(const door::Event& event, const std::string& name) const {
  if (name.starts_with('/')) return name;
  const auto found = directories_.find(event.fd);
  if (found == directories_.end()) throw std::logic_error("a directory that was opened before the recording");
  return found->second + "/" + name;
}

int DiskModel::current(const std::string& path) const {
  const auto found = names_.find(path);
  return found == names_.end() ? kNone : found->second.versions.back();
}

void DiskModel::set_name(const std::string& path, int inode) {
  std::vector<int>& versions = names_[path].versions;
  if (versions.empty()) versions.push_back(kNone);
  versions.push_back(inode);
}

void DiskModel::change(int inode, std::uint64_t offset, const Bytes& data, std::uint64_t size) {
  Inode& file = inodes_.at(static_cast<std::size_t>(inode));
  file.size = size;
  file.pending.push_back({offset, data, size});
  file.variants = {};
}

bool DiskModel::sync(int fd) {
  if (const auto file = files_.find(fd); file != files_.end()) {
    Inode& inode = inodes_.at(static_cast<std::size_t>(file->second));
    for (const Change& change : inode.pending) {
      inode.durable.resize(std::max<std::size_t>(inode.durable.size(), change.offset + change.data.size()));
      std::ranges::copy(change.data, inode.durable.begin() + static_cast<std::ptrdiff_t>(change.offset));
      inode.durable.resize(change.size);
    }
    inode.pending.clear();
    inode.variants = {};
    return true;
  }
  const auto directory = directories_.find(fd);
  if (directory == directories_.end()) throw std::logic_error("a file that was opened before the recording");
  for (auto& [path, name] : names_) {
    if (std::filesystem::path{path}.parent_path() == directory->second) name.versions = {name.versions.back()};
  }
  return true;
}

bool DiskModel::apply(const door::Event& event) {
  using door::Call;
  if (!is_success(event)) return false;
  const int fd = event.fd;
  const int made = static_cast<int>(event.result);
  switch (event.call) {
    case Call::open:
    case Call::openat: {
      const std::string path = event.name == "." ? directories_.at(fd) : path_of(event, event.name);
      files_.erase(made);
      directories_.erase(made);
      int inode = current(path);
      if (inode == kNone && (event.flags & O_CREAT) != 0) {
        inode = static_cast<int>(inodes_.size());
        inodes_.emplace_back();
        set_name(path, inode);
        files_[made] = inode;
        return true;
      }
      if (inode >= 0) {
        files_[made] = inode;
      } else {
        directories_[made] = path;  // one that is above the root, too
      }
      return false;
    }
    case Call::close:
      files_.erase(fd);
      directories_.erase(fd);
      return false;
    case Call::pwrite: {
      Bytes data(event.data.begin(), event.data.begin() + event.result);
      const int inode = files_.at(fd);
      const std::uint64_t end = event.offset + data.size();
      change(inode, event.offset, data, std::max(end, inodes_.at(static_cast<std::size_t>(inode)).size));
      return true;
    }
    case Call::fallocate: {
      const int inode = files_.at(fd);
      const std::uint64_t size = inodes_.at(static_cast<std::size_t>(inode)).size;
      change(inode, 0, {}, std::max(size, event.offset + event.size));
      return true;
    }
    case Call::ftruncate:
      change(files_.at(fd), 0, {}, event.size);
      return true;
    case Call::fsync:
      return sync(fd);
    case Call::mkdir:
      set_name(event.name, kDirectory);
      return true;
    case Call::unlinkat:
      set_name(path_of(event, event.name), kNone);
      return true;
    case Call::renameat:
    case Call::renameat2:
      set_name(path_of(event, event.to), current(path_of(event, event.name)));
      set_name(path_of(event, event.name), kNone);
      return true;
    case Call::linkat:
      set_name(path_of(event, event.to), current(path_of(event, event.name)));
      return true;
    default:
      return false;
  }
}

// What the file may hold: all subsets of its writes, and the last state with sectors or pages that are lost or zeros,
// torn at every sector, and as many other mixtures as there is room for.
void DiskModel::work_out(Inode& inode, std::uint64_t most) const {
  std::set<std::uint64_t> seen;
  const auto add = [&](Bytes bytes) {
    const std::uint64_t hash = codec::xxh3(bytes);
    if (seen.insert(hash).second) inode.variants.emplace_back(std::move(bytes), hash);
  };
  add(inode.durable);
  const std::size_t writes = std::min<std::size_t>(inode.pending.size(), 8);
  Bytes last;
  for (std::uint64_t subset = 1; subset < (std::uint64_t{1} << writes); ++subset) {
    Bytes bytes = inode.durable;
    for (std::size_t i = 0; i < inode.pending.size(); ++i) {
      if (i < writes && ((subset >> i) & 1U) == 0) continue;
      const Change& change = inode.pending[i];
      bytes.resize(std::max<std::size_t>(bytes.size(), change.offset + change.data.size()));
      std::ranges::copy(change.data, bytes.begin() + static_cast<std::ptrdiff_t>(change.offset));
      bytes.resize(change.size);
    }
    last = bytes;
    add(std::move(bytes));
  }
  if (last.empty()) return;
  Bytes before = inode.durable;
  before.resize(last.size());
  const Bytes zeros(last.size());
  const std::size_t sectors = (last.size() + kSector - 1) / kSector;
  const auto mix = [&](const Bytes& other, const auto& keeps, std::size_t unit) {
    Bytes bytes = last;
    for (std::size_t at = 0, i = 0; at < bytes.size(); at += unit, ++i) {
      const auto end = static_cast<std::ptrdiff_t>(std::min(at + unit, bytes.size()));
      const auto begin = static_cast<std::ptrdiff_t>(at);
      if (!keeps(i)) std::copy(other.begin() + begin, other.begin() + end, bytes.begin() + begin);
    }
    add(std::move(bytes));
  };
  for (const Bytes* other : std::initializer_list<const Bytes*>{&before, &zeros}) {
    for (const std::size_t unit : {kSector, kPage}) {
      const std::size_t units = std::min<std::size_t>((last.size() + unit - 1) / unit, 64);
      for (std::size_t k = 0; k <= units; ++k) {
        mix(*other, [&](std::size_t i) { return i < k; }, unit);
        mix(*other, [&](std::size_t i) { return i >= k; }, unit);
        mix(*other, [&](std::size_t i) { return i != k; }, unit);
        mix(*other, [&](std::size_t i) { return i == k; }, unit);
        Bytes cut{last.begin(), last.begin() + static_cast<std::ptrdiff_t>(std::min(k * unit, last.size()))};
        add(std::move(cut));
      }
    }
  }
  // A file that grew in pages whose bytes never came would be the same again: large files need fewer mixtures.
  const std::uint64_t room = std::min<std::uint64_t>(most, (std::uint64_t{192} << 20U) / last.size());
  std::mt19937_64 random{last.size()};
  const bool exhaustive = sectors < 63 && (std::uint64_t{1} << sectors) <= room;
  const std::uint64_t masks = exhaustive ? std::uint64_t{1} << sectors : room / 2;
  for (std::uint64_t k = 0; k < masks; ++k) {
    const std::uint64_t mask = exhaustive ? k : random();
    for (const Bytes* other : std::initializer_list<const Bytes*>{&before, &zeros}) {
      mix(*other, [&](std::size_t i) { return ((mask >> (i % 64)) & 1U) != 0; }, kSector);
    }
  }
}

std::uint64_t DiskModel::for_each_state(std::uint64_t most, const std::function<void(const State&)>& look) {
  // One wheel for each thing that can be chosen; those of the files turn fastest.
  struct Wheel {
    std::size_t positions;
    std::size_t at = 0;
  };
  std::vector<Wheel> wheels;
  for (Inode& inode : inodes_) {
    if (inode.variants.empty()) work_out(inode, most / 4);
    wheels.push_back({inode.variants.size()});
  }
  const std::size_t files = wheels.size();
  struct Entry {
    const std::string* path;
    const std::string parent;
    const Name* name;
  };
  std::vector<Entry> entries;
  for (const auto& [path, name] : names_) {
    entries.push_back({&path, std::filesystem::path{path}.parent_path().native(), &name});
    wheels.push_back({name.versions.size()});
  }
  State state;
  std::vector<std::pair<Content*, std::size_t>> contents;
  const auto choose_names = [&] {
    state.clear();
    contents.clear();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const int inode = entries[i].name->versions[wheels[files + i].at];
      const bool lost = names_.contains(entries[i].parent) && !state.contains(entries[i].parent);
      if (inode == kNone || lost) continue;
      Content& content = state[*entries[i].path];
      if (inode != kDirectory) contents.emplace_back(&content, static_cast<std::size_t>(inode));
    }
  };
  const auto choose_bytes = [&] {
    for (const auto& [content, file] : contents) {
      const auto& [bytes, hash] = inodes_[file].variants[wheels[file].at];
      *content = {&bytes, hash};
    }
  };
  double product = 1;
  for (const Wheel& wheel : wheels) product *= static_cast<double>(wheel.positions);
  const bool all = product <= static_cast<double>(most);
  std::mt19937_64 random{wheels.size()};
  choose_names();
  for (std::uint64_t count = 1;; ++count) {
    choose_bytes();
    look(state);
    if (!all && count >= most) return count;
    std::size_t turned = 0;
    if (all) {
      while (turned < wheels.size() && ++wheels[turned].at == wheels[turned].positions) wheels[turned++].at = 0;
      if (turned == wheels.size()) return count;
    } else {
      for (Wheel& wheel : wheels) wheel.at = random() % wheel.positions;
    }
    if (!all || turned >= files) choose_names();
  }
}

}  // namespace ckpt::test
