"""Which records of CRM, ERP and bank are one customer or vendor."""
