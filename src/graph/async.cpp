#include "graph/background_saver.hpp"
#include "graph/save.hpp"
#include "graph/save_job.hpp"

#include <ckpt/async.hpp>
#include <ckpt/error.hpp>

#include <memory>
#include <utility>

namespace ckpt {
namespace {

void leak_if_forked(std::unique_ptr<graph::BackgroundSaver>& saver) noexcept {
  if (!saver || !saver->is_forked()) return;
  [[maybe_unused]] const graph::BackgroundSaver* leaked = saver.release();
}

}  // namespace

graph::SaveJob& PendingSave::job() const {
  if (!job_) throw Error{ErrorCode::invalid_argument, {.problem = "the PendingSave is empty"}};
  return *job_;
}

const std::filesystem::path& PendingSave::path() const { return job().path(); }
double PendingSave::waited_seconds() const { return job().waited_seconds(); }
void PendingSave::staged() const { job().wait_staged(); }
bool PendingSave::is_staged() const { return job().is_staged(); }
bool PendingSave::is_done() const { return job().is_done(); }

std::filesystem::path PendingSave::durable() const {
  job().wait_done();
  return path();
}

AsyncSaver::AsyncSaver(const Checkpoint& checkpoint, AsyncOptions options)
    : impl_{std::make_unique<graph::BackgroundSaver>(graph::state_of(checkpoint), options)} {}

AsyncSaver::~AsyncSaver() { leak_if_forked(impl_); }

AsyncSaver::AsyncSaver(AsyncSaver&&) noexcept = default;

AsyncSaver& AsyncSaver::operator=(AsyncSaver&& other) noexcept {
  leak_if_forked(impl_);
  impl_ = std::move(other.impl_);
  return *this;
}

graph::BackgroundSaver& AsyncSaver::impl() const {
  if (!impl_) throw Error{ErrorCode::invalid_argument, {.problem = "the AsyncSaver was moved from"}};
  return *impl_;
}

PendingSave AsyncSaver::save(const std::filesystem::path& prefix, AsyncSaveOptions options) {
  return impl().save(prefix, std::move(options));
}

PendingSave AsyncSaver::write(const std::filesystem::path& path, AsyncSaveOptions options) {
  return impl().write(path, std::move(options));
}

void AsyncSaver::wait() { impl().wait(); }
std::size_t AsyncSaver::in_flight() const { return impl().in_flight(); }
std::uint64_t AsyncSaver::staging_bytes() const { return impl().staging_bytes(); }
void AsyncSaver::release_staging() { impl().release_staging(); }

}  // namespace ckpt
