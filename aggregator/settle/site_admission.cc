#include "aggregator/settle/site_admission.h"

#include "proto/window.h"

namespace weir {

SiteAdmission::SiteAdmission(std::size_t max_sites, const std::vector<std::string>& stored)
    : max_sites_(max_sites) {
  for (const auto& site : stored) sites_.emplace(site, true);
}

bool SiteAdmission::admit(const std::string& site, NewSites& carried, std::uint64_t& bytes) {
  if (site == kOtherSite || site == kNoSite || site == kInvalidSite) return true;
  auto it = sites_.find(site);
  if (it == sites_.end()) {
    if (sites_.size() >= max_sites_) return false;
    it = sites_.emplace(site, false).first;
  }
  if (!it->second && carried.insert(site).second) bytes += site.size() + 64;
  return true;
}

}  // namespace weir
